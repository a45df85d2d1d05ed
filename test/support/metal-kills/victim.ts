import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';

export type VictimName = 'agent' | 'control plane' | 'lab';

/** A process that is killed with SIGKILL and started again as often as wanted. */
export type Victim = AsyncDisposable & {
  readonly name: VictimName;
  /** Resolves with what it says when it is ready. */
  readonly start: () => Promise<unknown>;
  /** Resolves when it is gone. */
  readonly kill: () => Promise<void>;
  /** How it ended though nobody killed it; undefined where it did not. */
  readonly fell: () => string | undefined;
  /** All that its processes printed. */
  readonly printed: () => string;
  /** Its command line as everybody on the host sees it; empty while it does not run. */
  readonly commandLine: () => string;
};

export type VictimOptions = {
  readonly name: VictimName;
  readonly args: readonly string[];
  /** It is ready when it says something over its channel; an agent has none to say it by. */
  readonly tellsReady: boolean;
};

const READY_LIMIT_MS = 300_000;

export const victim = ({ name, args, tellsReady }: VictimOptions): Victim => {
  let child: ChildProcess | undefined;
  let printed = '';
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill('SIGKILL');
    await gone;
  };
  return {
    name,
    start: () => {
      const channel = tellsReady ? (['ipc'] as const) : [];
      const started = spawn(process.execPath, args, {
        stdio: ['ignore', 'pipe', 'pipe', ...channel],
        // Settings of tests are none of these processes.
        env: { PATH: process.env.PATH },
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream?.on('data', (part: Buffer) => {
          printed += part.toString();
        });
      }
      return tellsReady ? readyOf(started, () => printed.slice(-2_000)) : Promise.resolve(null);
    },
    kill,
    fell: () => {
      if (child === undefined || (child.exitCode === null && child.signalCode === null)) return;
      return `the ${name} ended with ${child.exitCode ?? child.signalCode}`;
    },
    printed: () => printed,
    commandLine: () => {
      if (child?.pid === undefined || !existsSync(`/proc/${child.pid}`)) return '';
      return readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    },
    [Symbol.asyncDispose]: kill,
  };
};

const readyOf = (child: ChildProcess, printed: () => string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not ready: ${printed()}`)), READY_LIMIT_MS);
    child.once('exit', (_code, signal) => {
      clearTimeout(late);
      // Who killed it starts it again.
      if (signal === 'SIGKILL') resolve(undefined);
      else reject(new Error(`it ended: ${printed()}`));
    });
    child.once('message', (message) => {
      clearTimeout(late);
      resolve(message);
    });
  });
