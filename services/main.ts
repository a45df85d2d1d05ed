/**
 * A production process: `node services/main.ts run scheduler machine --config scheduler.yaml`, or
 * the agent of a VM host: `node services/main.ts agent --config agent.yaml`. Also `defaults`
 * (prints the configuration), `check` (reads one and says what is wrong) and `certificate` (gives
 * services their certificates). `npm start` does not come here; it runs everything embedded
 * (deploy/start).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { AGENT_SETTINGS } from './agent/settings.ts';
import { loadConfig, printDefaults } from './runtime/config.ts';
import type { ConfigOf, Section } from './runtime/config-settings.ts';
import { isDomainError } from './runtime/errors.ts';
import { SETTINGS } from './settings.ts';

// What a command needs is loaded when it runs: a process must not carry the code of the others.
const USAGE = `usage: node services/main.ts <command>
  run SERVICE… --config FILE      run these services (none named: all)
  agent --config FILE             run the agent of this VM host
  check [agent] --config FILE     read the configuration and say what is wrong with it
  defaults [agent]                print the configuration with its defaults
  certificate --config FILE [--name SERVICE]… [--people] --host NAME… --out DIR
                                  give services and the listener for people their certificates;
                                  needs metadata's database and master key`;

/** Variables of runm, of `npm start` and of the tests; a shell that has them may start us too. */
const OTHER_ENV = [
  ...['RUNM_CONFIG', 'RUNM_ENDPOINT', 'RUNM_CA_FILE', 'RUNM_TOKEN_FILE', 'RUNM_TOKEN'],
  ...['RUNM_PROFILE', 'RUNM_PARTITION', 'RUNM_PROJECT', 'RUNM_CACHE_DIR', 'RUNM_STATE_DIR'],
  ...['RUNM_TOOLS_DIR', 'RUNM_START_', 'RUNM_REQUIRE', 'RUNM_TEST_'],
];

type Values = {
  readonly config?: string | undefined;
  readonly name?: string[] | undefined;
  readonly host?: string[] | undefined;
  readonly out?: string | undefined;
  readonly people?: boolean | undefined;
};

const main = async (argv: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      name: { type: 'string', multiple: true },
      host: { type: 'string', multiple: true },
      out: { type: 'string' },
      people: { type: 'boolean' },
    },
  });
  const [command, ...names] = positionals;
  switch (command) {
    case 'run':
      return run(values, names);
    case 'agent': {
      const { runAgent } = await import('./agent/process.ts');
      return runAgent(read(AGENT_SETTINGS, values), version());
    }
    case 'check':
      if (names[0] === 'agent') read(AGENT_SETTINGS, values);
      else read(SETTINGS, values);
      console.log('the configuration is valid');
      return 0;
    case 'defaults':
      console.log(printDefaults(names[0] === 'agent' ? AGENT_SETTINGS : SETTINGS));
      return 0;
    case 'certificate':
      return certificate(values);
    default:
      console.error(USAGE);
      return 2;
  }
};

const run = async (values: Values, names: readonly string[]): Promise<number> => {
  const { runServices } = await import('./production.ts');
  const { SERVICE_NAMES } = await import('./contract.ts');
  const services = names.map((text) => {
    const found = SERVICE_NAMES.find((name) => name === text);
    if (found !== undefined) return found;
    throw new RangeError(`there is no service "${text}"; known: ${SERVICE_NAMES.join(', ')}`);
  });
  const config = read(SETTINGS, values);
  return runServices(config, services.length === 0 ? SERVICE_NAMES : services, version());
};

const certificate = async (values: Values): Promise<number> => {
  const { issueCertificateFiles } = await import('./issue-certificate.ts');
  const { name = [], host = [], out = '.', people = false } = values;
  const order = { services: name, people, hosts: host, directory: out };
  await issueCertificateFiles(read(SETTINGS, values), order);
  return 0;
};

const read = <S extends Section>(settings: S, { config }: Values): ConfigOf<S> =>
  loadConfig(settings, {
    env: process.env,
    ...(config === undefined ? {} : { yaml: readFileSync(config, 'utf8'), file: config }),
    otherEnv: OTHER_ENV,
  });

const version = (): string => {
  const file = new URL('../package.json', import.meta.url);
  const parsed: { version?: unknown } = JSON.parse(readFileSync(file, 'utf8'));
  return typeof parsed.version === 'string' ? parsed.version : '0.0.0';
};

const tell = (error: unknown): number => {
  console.error(error instanceof Error ? error.message : String(error));
  if (!isDomainError(error) && process.env.RUNM_LOG_LEVEL === 'debug') console.error(error);
  return error instanceof RangeError ? 2 : 1;
};

process.exit(await main(process.argv.slice(2)).catch(tell));
