import { unavailable } from '../../runtime/errors.ts';
import { abortable } from '../../store/coordination/waiting.ts';

/**
 * One after the other: what takes long and much memory is done for one caller at a time. Errors:
 * those of `work`; unavailable BUSY when too many wait.
 */
export type Turns = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export const createTurns = (waitingMax: number): Turns => {
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (work, signal) => {
    if (waiting >= waitingMax) {
      throw unavailable('BUSY', `${waiting} such calls wait already`, { retryAfterMs: 2_000 });
    }
    waiting += 1;
    const before = tail;
    const ended = Promise.withResolvers<void>();
    // Also when this one gives up while it waits: the next comes after those before it.
    tail = Promise.all([before, ended.promise]);
    try {
      await abortable(before, signal);
      return await work();
    } finally {
      waiting -= 1;
      ended.resolve();
    }
  };
};
