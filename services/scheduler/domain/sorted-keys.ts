/**
 * Keys in their order, to be read from any of them on. What came since the last reading is sorted
 * and merged then: a reading costs as much as there are keys only when something has changed, and
 * nothing is sorted twice.
 */
export type SortedKeys = {
  /** To be called for a key that was not there. */
  readonly add: (key: string) => void;
  /** To be called for a key that is there no more. */
  readonly remove: (key: string) => void;
  /** Keys from this one on; absent = all. */
  readonly from: (first?: string) => IterableIterator<string>;
};

/** Nothing is kept before the first reading; `all` tells the keys then. */
export const createSortedKeys = (all: () => Iterable<string>): SortedKeys => {
  let sorted: readonly string[] | undefined;
  const added = new Set<string>();
  const removed = new Set<string>();

  const settle = (): readonly string[] => {
    if (sorted === undefined) return [...all()].sort();
    if (added.size === 0 && removed.size === 0) return sorted;
    const kept = removed.size === 0 ? sorted : sorted.filter((key) => !removed.has(key));
    return merge(kept, [...added].sort());
  };
  /** Nobody has read for so long that sorting all anew costs no more. */
  const forgetOld = (): void => {
    if (added.size + removed.size <= Math.max(1_000, sorted?.length ?? 0)) return;
    sorted = undefined;
    added.clear();
    removed.clear();
  };

  return {
    add: (key) => {
      if (sorted === undefined) return;
      // One that went and came again stands where it stood.
      if (!removed.delete(key)) added.add(key);
      forgetOld();
    },
    remove: (key) => {
      if (sorted === undefined) return;
      if (!added.delete(key)) removed.add(key);
      forgetOld();
    },
    from: (first) => {
      sorted = settle();
      added.clear();
      removed.clear();
      return walk(sorted, first === undefined ? 0 : firstAtLeast(sorted, first));
    },
  };
};

function* walk(keys: readonly string[], from: number): IterableIterator<string> {
  for (let at = from; at < keys.length; at += 1) {
    const key = keys[at];
    if (key !== undefined) yield key;
  }
}

const merge = (a: readonly string[], b: readonly string[]): readonly string[] => {
  if (b.length === 0) return a;
  const merged: string[] = [];
  let at = 0;
  for (const key of b) {
    for (let next = a[at]; next !== undefined && next < key; next = a[at]) {
      merged.push(next);
      at += 1;
    }
    merged.push(key);
  }
  for (; at < a.length; at += 1) merged.push(a[at] ?? '');
  return merged;
};

const firstAtLeast = (keys: readonly string[], wanted: string): number => {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
};
