/**
 * Which values a key has, small: nearly every key has one, and a Set for each of a million of them
 * is most of the memory.
 */
export type KeyLists = {
  /** True when the key had none before. */
  readonly add: (key: string, value: string) => boolean;
  readonly remove: (key: string, value: string) => void;
  readonly get: (key: string) => Iterable<string>;
  readonly has: (key: string) => boolean;
  readonly keys: () => IterableIterator<string>;
  readonly size: () => number;
};

const NONE: readonly string[] = [];

export const createKeyLists = (): KeyLists => {
  const lists = new Map<string, string | Set<string>>();
  return {
    add: (key, value) => {
      const there = lists.get(key);
      if (there === undefined) lists.set(key, value);
      else if (typeof there !== 'string') there.add(value);
      else if (there !== value) lists.set(key, new Set([there, value]));
      return there === undefined;
    },
    remove: (key, value) => {
      const there = lists.get(key);
      if (there === value) lists.delete(key);
      else if (there !== undefined && typeof there !== 'string') {
        there.delete(value);
        if (there.size === 0) lists.delete(key);
      }
    },
    get: (key) => {
      const there = lists.get(key);
      if (there === undefined) return NONE;
      return typeof there === 'string' ? [there] : there;
    },
    has: (key) => lists.has(key),
    keys: () => lists.keys(),
    size: () => lists.size,
  };
};
