/**
 * `node deploy/production/run.ts --dir DIR`: the shape of a production installation on this one
 * machine, every service in processes of its own. See README.md beside it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../services/runtime/clock.ts';
import { renewCertificates } from './renew.ts';
import { type Production, startProduction } from './start.ts';

const USAGE = `usage: node deploy/production/run.ts --dir DIR [options]
  --dir DIR                 where everything lies; made if missing
  --tools-dir DIR           where missing programs are unpacked (DIR/tools; or RUNM_TOOLS_DIR)
  --any-ports               take any free ports instead of 7443 and the others
  --once-ready-run COMMAND  run a command of the shell once ready, stop, exit with its code
  --renew                   give the running installation new certificates and exit
  --help                    this text`;

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' },
      'tools-dir': { type: 'string' },
      'any-ports': { type: 'boolean' },
      'once-ready-run': { type: 'string' },
      renew: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.dir === undefined) {
    console.error(USAGE);
    return 2;
  }
  const dir = resolve(values.dir);
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort(new Error('interrupted'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  if (values.renew) {
    await renewCertificates(dir, interrupt.signal);
    return 0;
  }
  const beganMs = systemClock.monotonicMs();
  const production = await startProduction({
    dir,
    toolsDir: resolve(values['tools-dir'] ?? process.env.RUNM_TOOLS_DIR ?? `${dir}/tools`),
    usualPorts: values['any-ports'] !== true,
    say: console.log,
    signal: interrupt.signal,
  });
  try {
    console.log(readyBlock(production, systemClock.monotonicMs() - beganMs));
    const command = values['once-ready-run'];
    if (command !== undefined) return await runCommand(command, production);
    await aborted(interrupt.signal);
    return 0;
  } finally {
    console.log('stopping');
    await production.stop();
  }
};

const readyBlock = (production: Production, tookMs: number): string =>
  [
    '',
    `ready after ${(tookMs / 1000).toFixed(1)} s`,
    '',
    `  URL          ${production.endpoint}`,
    `  CA           ${production.caFile}`,
    `  admin token  ${production.tokenFile} (only you can read it; good for 30 days)`,
    `  logs         ${production.logDir}`,
    `  for agents   ${production.mtlsAddresses.join(', ')}`,
    '',
    ...production.processes.map(({ name, pid }) => `  ${name.padEnd(12)} process ${pid()}`),
    '',
    'Try it:',
    `  export PATH=${production.binDir}:$PATH RUNM_CONFIG=${production.profileFile}`,
    '  runm status',
    '  runm machine create demo --image lab-linux --cpus 1 --memory 256MiB --wait',
    '',
    'Kill any of scheduler-… and machine-… and go on. Ctrl-C stops everything.',
  ].join('\n');

const runCommand = async (command: string, production: Production): Promise<number> => {
  const env = {
    ...process.env,
    PATH: `${production.binDir}:${process.env.PATH}`,
    RUNM_CONFIG: production.profileFile,
  };
  const [code] = await once(spawn('sh', ['-c', command], { env, stdio: 'inherit' }), 'exit');
  return typeof code === 'number' ? code : 1;
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });

const tell = (error: unknown): number => {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof Error && error.cause !== undefined) console.error(String(error.cause));
  return 1;
};

process.exit(await main().catch(tell));
