/**
 * Things that come due, soonest first: a binary heap. What became meaningless meanwhile is left to
 * whoever takes it.
 */
export type DueQueue = {
  readonly add: (uid: string, atMs: number) => void;
  /** Takes everything that is due. */
  readonly take: (nowMs: number) => readonly Due[];
  /** When the next one is due; undefined = nothing waits. */
  readonly nextMs: () => number | undefined;
  readonly size: () => number;
};

export type Due = { readonly uid: string; readonly atMs: number };

export const createDueQueue = (): DueQueue => {
  const heap: Due[] = [];
  const timeAt = (at: number): number => heap[at]?.atMs ?? Infinity;
  const swap = (a: number, b: number): void => {
    const [first, second] = [heap[a], heap[b]];
    if (first !== undefined && second !== undefined) [heap[a], heap[b]] = [second, first];
  };
  const rise = (from: number): void => {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (timeAt(parent) <= timeAt(at)) return;
      swap(at, parent);
      at = parent;
    }
  };
  const sink = (): void => {
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const least = timeAt(left + 1) < timeAt(left) ? left + 1 : left;
      if (timeAt(at) <= timeAt(least)) return;
      swap(at, least);
      at = least;
    }
  };
  const pop = (): Due | undefined => {
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) {
      heap[0] = last;
      sink();
    }
    return first;
  };
  return {
    add: (uid, atMs) => {
      heap.push({ uid, atMs });
      rise(heap.length - 1);
    },
    take: (nowMs) => {
      const due: Due[] = [];
      while (timeAt(0) <= nowMs) {
        const item = pop();
        if (item !== undefined) due.push(item);
      }
      return due;
    },
    nextMs: () => heap[0]?.atMs,
    size: () => heap.length,
  };
};
