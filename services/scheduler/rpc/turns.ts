import { unavailable } from '../../runtime/errors.ts';
import { createCallerTurns } from '../caller-turns.ts';

/**
 * One after the other, callers in turn: what takes long and much memory is done for one at a time.
 * Errors: those of `work`; unavailable BUSY when too many wait, or too many of this caller.
 */
export type Turns = <T>(caller: string, work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export const createTurns = (waitingMax: number): Turns => {
  const turns = createCallerTurns(waitingMax);
  return async (caller, work, signal) => {
    if (turns.isFull(caller)) {
      throw unavailable('BUSY', `${turns.size()} such calls wait already`, { retryAfterMs: 2_000 });
    }
    await turns.enter(caller, signal);
    try {
      return await work();
    } finally {
      turns.leave();
    }
  };
};
