/**
 * Small writes that come while one is under way, made together by the next: a transaction costs
 * about the same for one row and for a hundred.
 */
export type Together<T> = {
  /** Resolves when it was written; rejects with what went wrong for all of its batch. */
  readonly add: (item: T) => Promise<void>;
};

/** Beyond this a statement has more parameters than databases like. */
const ITEMS_MAX = 256;

export const createTogether = <T>(write: (items: readonly T[]) => Promise<void>): Together<T> => {
  let waiting: { readonly item: T; readonly done: PromiseWithResolvers<void> }[] = [];
  let isRunning = false;
  const drain = async (): Promise<void> => {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, ITEMS_MAX);
      waiting = waiting.slice(batch.length);
      try {
        await write(batch.map(({ item }) => item));
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    isRunning = false;
  };
  return {
    add: (item) => {
      const done = Promise.withResolvers<void>();
      waiting.push({ item, done });
      if (!isRunning) void drain();
      return done.promise;
    },
  };
};
