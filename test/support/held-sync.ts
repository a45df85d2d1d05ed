/** A disk that syncs when a test says so. */
export type HeldSync = {
  /** For the coordinator or its queue. */
  readonly sync: () => Promise<void>;
  /** Syncs that were asked for and not yet answered. */
  readonly waiting: () => number;
  /** Answers the oldest of them. */
  readonly release: () => void;
  readonly fail: (error: Error) => void;
};

export const heldSync = (): HeldSync => {
  const waiting: PromiseWithResolvers<void>[] = [];
  return {
    sync: () => {
      const asked = Promise.withResolvers<void>();
      waiting.push(asked);
      return asked.promise;
    },
    waiting: () => waiting.length,
    release: () => waiting.shift()?.resolve(),
    fail: (error) => waiting.shift()?.reject(error),
  };
};
