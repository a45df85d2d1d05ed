import { unavailable } from '../../runtime/errors.ts';
import type { Command } from '../domain/command.ts';
import type { Granted } from '../ports.ts';

/** A command that waits for its decision or its commit. */
export type Pending = {
  readonly command: Command;
  readonly resolve: (granted: Granted) => void;
  readonly reject: (error: unknown) => void;
  /** True once its caller has an answer or has gone. */
  readonly isDone: () => boolean;
  /** From now on nobody knows what becomes of it when its caller goes. */
  readonly decided: () => void;
};

/**
 * The promise ends with the signal, if it did not before: what was not decided by then never will
 * be.
 */
export const pend = (
  command: Command,
  signal: AbortSignal,
): { readonly pending: Pending; readonly answer: Promise<Granted> } => {
  const { promise, resolve, reject } = Promise.withResolvers<Granted>();
  let isDone = false;
  let isDecided = false;
  const end = (settle: () => void): void => {
    isDone = true;
    signal.removeEventListener('abort', onAbort);
    settle();
  };
  const onAbort = () => end(() => reject(isDecided ? outcomeUnknown() : signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const pending: Pending = {
    command,
    resolve: (granted) => end(() => resolve(granted)),
    reject: (error) => end(() => reject(error)),
    isDone: () => isDone,
    decided: () => {
      isDecided = true;
    },
  };
  return { pending, answer: promise };
};

export const outcomeUnknown = () =>
  unavailable(
    'OUTCOME_UNKNOWN',
    'The store has not said whether the change was written; repeat it with the same request id',
    { retryAfterMs: 1000 },
  );

/** Nothing was decided: another replica leads, or soon will. */
export const notLeader = (partition: string) =>
  unavailable('NOT_LEADER', `This replica does not lead partition "${partition}"`, {
    metadata: { partition },
    retryAfterMs: 200,
  });

export const tooBusy = (message: string, retryAfterMs: number) =>
  unavailable('BUSY', message, { retryAfterMs });
