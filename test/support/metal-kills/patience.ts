import { Code, ConnectError } from '@connectrpc/connect';
import { eventually } from '../eventually.ts';

/** What a caller sees whose control plane died or just comes up; the same request is sent again. */
const PASSING = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Aborted, Code.Canceled]);

const LIMIT_MS = 300_000;

export const isPassing = (error: unknown): boolean =>
  error instanceof ConnectError && PASSING.has(error.code);

type Answer<T> = { readonly value: T } | { readonly error: unknown };

/** Calls until there is an answer; one that will not change is thrown at once. */
export const persist = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
  const answer = await eventually<Answer<T>>(
    async () => {
      try {
        return { value: await call() };
      } catch (error) {
        if (isPassing(error)) throw error;
        return { error };
      }
    },
    { limitMs: LIMIT_MS, message: `an answer to ${what}` },
  );
  if ('value' in answer) return answer.value;
  throw new Error(`${what} is refused: ${String(answer.error)}`, { cause: answer.error });
};
