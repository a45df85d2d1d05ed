import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { testToolsDir } from '../tools-dir.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { collect, createRunm, type Outcome, type Runm } from './runm.ts';
import { temporaryDir } from './temporary-dir.ts';

const ROOT = join(import.meta.dirname, '../..');
const START = join(ROOT, 'deploy/start/main.ts');

/** One `npm start` in a directory and on ports of its own, and the `runm` that talks to it. */
export type Installation = AsyncDisposable &
  Runm & {
    readonly stateDir: string;
    /** Starts it and resolves when it says ready; what it printed is the answer. */
    readonly start: (...flags: string[]) => Promise<string>;
    /** Runs it to its end, for --check and refusals. */
    readonly run: (...flags: string[]) => Promise<Outcome>;
    readonly kill: () => Promise<void>;
    readonly stop: () => Promise<number>;
    readonly endpoint: string;
    readonly caPem: () => string;
    readonly token: () => string;
    readonly mtlsPort: number;
  };

const READY_LIMIT_MS = 300_000;
const STOP_LIMIT_MS = 120_000;

export const createInstallation = async (): Promise<Installation> => {
  const dir = temporaryDir();
  const stateDir = join(dir.path, 'state');
  const [people, mtls, boot] = [await freePort(), await freePort(), await freePort()];
  const env = {
    ...process.env,
    RUNM_CONFIG: join(dir.path, 'config.yaml'),
    RUNM_TOOLS_DIR: testToolsDir(),
    RUNM_STATE_DIR: stateDir,
    XDG_RUNTIME_DIR: '',
  };
  const ports = ['people', 'mtls', 'boot'].flatMap((name, index) => [
    `--${name}-port`,
    String([people, mtls, boot][index]),
  ]);
  let child: ChildProcess | undefined;
  let printed = '';

  const launch = (flags: readonly string[]): ChildProcess => {
    printed = '';
    const started = spawn(process.execPath, [START, ...ports, ...flags], { env, cwd: ROOT });
    const take = (part: Buffer) => {
      printed += part.toString();
    };
    started.stdout.on('data', take);
    started.stderr.on('data', take);
    return started;
  };
  const end = async (signal: NodeJS.Signals): Promise<number> => {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) {
      return running?.exitCode ?? 0;
    }
    const exited = once(running, 'exit');
    running.kill(signal);
    const late = setTimeout(() => running.kill('SIGKILL'), STOP_LIMIT_MS);
    const [code] = await exited;
    clearTimeout(late);
    return typeof code === 'number' ? code : -1;
  };
  return {
    stateDir,
    start: async (...flags) => {
      const started = launch(flags);
      child = started;
      await eventually(
        () => {
          if (started.exitCode !== null) throw new Error(`it ended:\n${printed}`);
          return /^ready$/m.test(printed) && printed.includes('Ctrl-C stops it');
        },
        { limitMs: READY_LIMIT_MS, message: 'npm start does not get ready' },
      ).catch((error: unknown) => {
        throw new Error(`${error instanceof Error ? error.message : error}\n${printed}`);
      });
      return printed;
    },
    run: async (...flags) => {
      const started = launch(flags);
      const [code] = await once(started, 'close');
      return { code: typeof code === 'number' ? code : -1, stdout: printed, stderr: '' };
    },
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGINT'),
    ...createRunm(env),
    endpoint: `https://127.0.0.1:${people}`,
    caPem: () => readFileSync(join(stateDir, 'ca.pem'), 'utf8'),
    token: () => readFileSync(join(stateDir, 'admin.token'), 'utf8').trim(),
    mtlsPort: mtls,
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM');
      // Guests that a killed installation left behind are ended by one that stops in order.
      if (printed !== '')
        await collect(spawn(process.execPath, [START, '--reset', '--yes'], { env }));
      dir[Symbol.dispose]();
    },
  };
};
