import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_FLAGS } from '../../deploy/start/node-flags.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { testToolsDir } from '../tools-dir.ts';
import { type BenchOptions, CannotMeasure } from './bench.ts';

/** The product as `npm start -- --no-demo --no-lab` runs it, on a state directory of its own. */
export type Product = AsyncDisposable & {
  readonly pid: number;
  readonly stateDir: string;
  readonly endpoint: string;
  readonly shim: string;
  /** With a profile of its own, so that the person's stays as it is. */
  readonly env: Readonly<Record<string, string | undefined>>;
};

const READY_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 20_000;

/** Starts it in `dir` and waits for the word `ready`. */
export const startProduct = async (dir: string, options: BenchOptions): Promise<Product> => {
  const stateDir = join(dir, 'state');
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  // What tests have fetched needs no download again.
  symlinkSync(testToolsDir(), join(stateDir, 'tools'));
  const env = { ...process.env, RUNM_CONFIG: join(dir, 'config.json') };
  const entry = join(import.meta.dirname, '../../deploy/start/main.ts');
  const child = spawn(
    process.execPath,
    [...NODE_FLAGS, entry, '--no-demo', '--no-lab', '--state-dir', stateDir],
    {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      said += String(part);
    });
  }
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    child.kill('SIGTERM');
    await exited;
    clearTimeout(force);
  };
  const endMs = systemClock.monotonicMs() + READY_LIMIT_MS;
  while (!/^ready$/m.test(said)) {
    const isOver = child.exitCode !== null || systemClock.monotonicMs() > endMs;
    if (isOver || options.signal.aborted) {
      await stop();
      throw new CannotMeasure(`npm start was not ready:\n${said}`);
    }
    await systemClock.sleep(20);
  }
  return {
    pid: child.pid ?? 0,
    stateDir,
    endpoint: /URL +(\S+)/.exec(said)?.[1] ?? '',
    shim: join(stateDir, 'bin/runm'),
    env,
    [Symbol.asyncDispose]: stop,
  };
};

/** Resident memory of a process, in bytes. */
export const rssBytesOf = (pid: number): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024;
};
