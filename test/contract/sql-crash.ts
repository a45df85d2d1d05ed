import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/**
 * A process of its own that adds one book and stops at a chosen point of its transaction, to be
 * killed there.
 */
export type CrashingWriter = {
  /** Waits until it is there, then kill -9. */
  readonly killAtPoint: () => Promise<void>;
  /** The uid of the book it made. */
  readonly uid: () => string;
};

export type CrashPlan = {
  readonly url: string;
  readonly requestId: string;
  readonly point: 'before-commit' | 'after-commit';
};

export const startCrashingWriter = async (
  t: ExecutionContext,
  plan: CrashPlan,
): Promise<CrashingWriter> => {
  const script = fileURLToPath(new URL('./sql-crash-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script], {
    // The url holds a password: not in argv.
    env: { ...process.env, RUNM_TEST_CRASH: JSON.stringify(plan) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let uid = '';
  return {
    killAtPoint: async () => {
      const exited = once(child, 'exit');
      const [line] = await Promise.race([
        once(child.stdout, 'data'),
        exited.then(() => {
          throw new Error('the writer ended before it reached its point');
        }),
      ]);
      uid = String(line).trim();
      child.kill('SIGKILL');
      await exited;
    },
    uid: () => uid,
  };
};
