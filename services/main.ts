/**
 * A production process: `node services/main.ts run scheduler machine --config scheduler.yaml`. Also
 * `defaults` (prints the configuration), `check` (reads one and says what is wrong) and
 * `certificate` (gives a service its certificate). `npm start` does not come here; it runs
 * everything embedded (deploy/start).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SERVICE_NAMES, type ServiceName } from './contract.ts';
import { issueCertificateFiles } from './issue-certificate.ts';
import { runServices } from './production.ts';
import { loadConfig, printDefaults } from './runtime/config.ts';
import { isDomainError } from './runtime/errors.ts';
import { SETTINGS } from './settings.ts';

const USAGE = `usage: node services/main.ts <command>
  run SERVICE… --config FILE      run these services; none named: all of
                                  ${SERVICE_NAMES.join(', ')}
  check --config FILE             read the configuration and say what is wrong with it
  defaults                        print the configuration with its defaults
  certificate --config FILE --name SERVICE --host NAME… --out DIR
                                  give a service its certificate; needs metadata's
                                  database and master key
  certificate --config FILE --people --host NAME… --out DIR
                                  the same for the listener for people`;

const main = async (argv: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      name: { type: 'string' },
      host: { type: 'string', multiple: true },
      out: { type: 'string' },
      people: { type: 'boolean' },
    },
  });
  const [command, ...names] = positionals;
  if (command === 'defaults') {
    console.log(printDefaults(SETTINGS));
    return 0;
  }
  const config = loadConfig(SETTINGS, {
    env: process.env,
    ...(values.config === undefined
      ? {}
      : { yaml: readFileSync(values.config, 'utf8'), file: values.config }),
    otherEnv: ['RUNM_TOOLS_DIR', 'RUNM_STATE_DIR', 'RUNM_CONFIG', 'RUNM_REQUIRE', 'RUNM_TEST_'],
  });
  switch (command) {
    case 'check':
      console.log('the configuration is valid');
      return 0;
    case 'run':
      return runServices(config, names.length === 0 ? SERVICE_NAMES : names.map(serviceName));
    case 'certificate':
      await issueCertificateFiles(config, {
        for: values.people === true ? 'people' : { service: values.name ?? '' },
        hosts: values.host ?? [],
        directory: values.out ?? '.',
      });
      return 0;
    default:
      console.error(USAGE);
      return 2;
  }
};

const serviceName = (text: string): ServiceName => {
  const found = SERVICE_NAMES.find((name) => name === text);
  if (found === undefined) {
    throw new RangeError(`there is no service "${text}"; known: ${SERVICE_NAMES.join(', ')}`);
  }
  return found;
};

const tell = (error: unknown): number => {
  console.error(error instanceof Error ? error.message : String(error));
  if (!isDomainError(error) && process.env.RUNM_LOG_LEVEL === 'debug') console.error(error);
  return error instanceof RangeError ? 2 : 1;
};

process.exit(await main(process.argv.slice(2)).catch(tell));
