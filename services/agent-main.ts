/**
 * The agent alone, as it comes to a host in a bundle (deploy/agent-bundle): `agent` runs it,
 * `check` and `defaults` are about its configuration, `unit` prints its systemd unit.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AGENT_SETTINGS } from './agent/settings.ts';
import { systemdUnit } from './agent/systemd-unit.ts';
import { loadConfig, printDefaults } from './runtime/config.ts';
import { isDomainError } from './runtime/errors.ts';

const USAGE = `usage: node main.mjs <command>
  agent --config FILE             run the agent
  check --config FILE             read the configuration and say what is wrong with it
  defaults                        print the configuration with its defaults
  unit --roles LIST --program DIR --config FILE
                                  print a systemd unit for these roles`;

const OPTIONS = {
  config: { type: 'string' },
  roles: { type: 'string' },
  program: { type: 'string' },
} as const;

type Values = { readonly [Name in keyof typeof OPTIONS]?: string | undefined };

const main = async (argv: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: OPTIONS,
  });
  switch (positionals[0]) {
    case 'agent': {
      const { runAgent } = await import('./agent/process.ts');
      return runAgent(read(values), version());
    }
    case 'check':
      read(values);
      console.log('the configuration is valid');
      return 0;
    case 'defaults':
      console.log(printDefaults(AGENT_SETTINGS));
      return 0;
    case 'unit': {
      const { roles = 'vm', program = '/opt/runmachine-agent/current', config = '' } = values;
      console.log(systemdUnit({ roles: roles.split(','), program, configFile: config }));
      return 0;
    }
    default:
      console.error(USAGE);
      return 2;
  }
};

const read = ({ config }: Values) =>
  loadConfig(AGENT_SETTINGS, {
    env: process.env,
    ...(config === undefined ? {} : { yaml: readFileSync(config, 'utf8'), file: config }),
    otherEnv: ['RUNM_CONFIG', 'RUNM_TEST_'],
  });

/** Beside the bundle's file. */
const version = (): string => {
  try {
    return readFileSync(join(import.meta.dirname, 'version'), 'utf8').trim();
  } catch {
    return '0.0.0';
  }
};

const tell = (error: unknown): number => {
  console.error(error instanceof Error ? error.message : String(error));
  if (!isDomainError(error) && process.env.RUNM_LOG_LEVEL === 'debug') console.error(error);
  return error instanceof RangeError ? 2 : 1;
};

process.exit(await main(process.argv.slice(2)).catch(tell));
