/**
 * What waits, one of each caller in turn: who asks much waits for himself. A caller may have as
 * many waiting as there is room for beside them, so that there always is room for another.
 */
export type RoundRobin<T> = {
  readonly size: () => number;
  readonly push: (caller: string, item: T) => void;
  readonly shift: () => T | undefined;
  /** False when it does not wait any more. */
  readonly remove: (caller: string, item: T) => boolean;
  /** True when no more of that caller may wait, where so many may in all. */
  readonly isFull: (caller: string, most: number) => boolean;
};

export const createRoundRobin = <T>(): RoundRobin<T> => {
  /** In the order of their turns. */
  const callers = new Map<string, Set<T>>();
  let size = 0;
  const take = (caller: string, items: Set<T>, item: T): boolean => {
    if (!items.delete(item)) return false;
    size -= 1;
    if (items.size === 0) callers.delete(caller);
    return true;
  };
  return {
    size: () => size,
    push: (caller, item) => {
      const items = callers.get(caller) ?? new Set<T>();
      callers.set(caller, items);
      items.add(item);
      size += 1;
    },
    shift: () => {
      for (const [caller, items] of callers) {
        for (const item of items) {
          take(caller, items, item);
          if (items.size === 0) return item;
          callers.delete(caller);
          callers.set(caller, items);
          return item;
        }
      }
      return undefined;
    },
    remove: (caller, item) => {
      const items = callers.get(caller);
      return items !== undefined && take(caller, items, item);
    },
    isFull: (caller, most) => (callers.get(caller)?.size ?? 0) >= most - size,
  };
};
