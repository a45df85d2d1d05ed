/**
 * Gives work on the same key its turn, one after the other; work on different keys runs at once. A
 * guest's record has one writer at a time because every writer takes a turn.
 */
export type Turns = {
  readonly take: <T>(key: string, work: () => Promise<T>) => Promise<T>;
  /** Resolves when all turns that were asked for so far are over. */
  readonly idle: () => Promise<void>;
};

export const createTurns = (): Turns => {
  const last = new Map<string, Promise<void>>();
  return {
    take: async (key, work) => {
      const before = last.get(key) ?? Promise.resolve();
      const turn = before.then(work, work);
      const settled = turn.then(
        () => undefined,
        () => undefined,
      );
      last.set(key, settled);
      try {
        return await turn;
      } finally {
        if (last.get(key) === settled) last.delete(key);
      }
    },
    idle: async () => {
      await Promise.all(last.values());
    },
  };
};
