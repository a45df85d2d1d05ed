/**
 * A queue with a bound, between whoever notices something and the loop that works at its own pace.
 */
export type BoundedQueue<T> = {
  /**
   * False when the queue is full or closed: the caller says so to whoever it serves, or drops what
   * is newest.
   */
  readonly offer: (item: T) => boolean;
  /**
   * The oldest item, as soon as there is one; undefined once the queue is closed and empty. Rejects
   * on abort.
   */
  readonly take: (signal: AbortSignal) => Promise<T | undefined>;
  /** Everything that is queued, at once; possibly nothing. */
  readonly drain: () => T[];
  readonly size: () => number;
  /** No more offers; what is queued can still be taken. */
  readonly close: () => void;
};

export const createBoundedQueue = <T>(itemsMax: number): BoundedQueue<T> => {
  let items: T[] = [];
  let isClosed = false;
  const waiting: (() => void)[] = [];
  const wakeOne = () => waiting.shift()?.();
  const wait = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        waiting.splice(waiting.indexOf(wake), 1);
        reject(signal.reason);
      };
      waiting.push(wake);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  return {
    offer: (item) => {
      if (isClosed || items.length >= itemsMax) return false;
      items.push(item);
      wakeOne();
      return true;
    },
    take: async (signal) => {
      for (;;) {
        signal.throwIfAborted();
        if (items.length > 0) return items.shift();
        if (isClosed) return undefined;
        await wait(signal);
      }
    },
    drain: () => {
      const all = items;
      items = [];
      return all;
    },
    size: () => items.length,
    close: () => {
      isClosed = true;
      while (waiting.length > 0) wakeOne();
    },
  };
};
