/**
 * The only door to time (test/tidy.test.ts refuses Date.now elsewhere). `now` is UTC wall time for
 * records that people read; `monotonicMs` is for measuring and for deadlines, and never goes back.
 */
export type Clock = {
  readonly now: () => Date;
  readonly monotonicMs: () => number;
  /** Resolves after `ms`, rejects with the signal's reason when it aborts first. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
};

/** Lets whatever else waits for its turn go first; for long work that must not hold up others. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Reason of signals that merely end a wait. Without one `abort()` makes an exception with a stack,
 * which costs more than the wait did.
 */
export const OVER = new Error('The wait is over');

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};
