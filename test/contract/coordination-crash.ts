import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export type CommittingPlan = {
  readonly file: string;
  /** The sync, counted from 1, at which the process kills itself instead. */
  readonly dieAtSync: number;
  /** The store has a thread; the process kills itself when it has begun that many commits. */
  readonly inThread?: boolean;
};

/**
 * A process of its own puts `n/000001` and so on, one after the other, until it kills itself;
 * gives the last number that was answered.
 */
export const committedUntilKilled = async (
  t: ExecutionContext,
  plan: CommittingPlan,
): Promise<number> => {
  const script = fileURLToPath(new URL('./coordination-crash-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [[, signal], printed] = await Promise.all([once(child, 'exit'), text(child.stdout)]);
  if (signal !== 'SIGKILL') throw new Error(`The process was not killed but ended by ${signal}`);
  return Number(printed.trim().split('\n').at(-1));
};
