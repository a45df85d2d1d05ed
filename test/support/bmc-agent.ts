import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AgentControl } from './agent-control.ts';
import { eventually } from './eventually.ts';

const CHILD = fileURLToPath(new URL('./bmc-agent-child.ts', import.meta.url));

/** An agent as a process of its own, killed and started again as often as wanted. */
export type BmcAgent = {
  readonly start: () => void;
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>;
  /** SIGTERM; resolves to its exit code. */
  readonly stop: () => Promise<number | null>;
  readonly isRunning: () => boolean;
  /** What it logged. */
  readonly output: () => string;
} & AsyncDisposable;

export const bmcAgent = (stateDir: string, control: AgentControl): BmcAgent => {
  let child: ChildProcess | undefined;
  let output = '';
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const ended = child;
    if (!ended || ended.exitCode !== null || ended.signalCode !== null) return null;
    const gone = new Promise<number | null>((resolve) => ended.once('exit', resolve));
    ended.kill(signal);
    return gone;
  };
  const isRunning = () =>
    child !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    start: () => {
      child = spawn(process.execPath, [CHILD, stateDir, String(control.port)], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (piece: Buffer) => {
          output = (output + piece.toString()).slice(-200_000);
        });
      }
    },
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
    isRunning,
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL');
    },
  };
};

/** Waits for the first Hello after those that were there. */
export const nextHello = (
  control: AgentControl,
  before = control.hellos.length,
): Promise<boolean> => eventually(() => control.hellos.length > before, { message: 'a Hello' });
