/**
 * How much of something is held at every instant from now on, as a step function: each claim adds
 * its amount where it begins and takes it away where it ends. Changes and questions cost O(log n)
 * in the number of edges to come; what has passed is folded into one number and costs nothing. Sums
 * are exact below 2^53.
 */
import {
  changeEdge,
  createEdgeTrees,
  type Edge,
  type EdgeTrees,
  firstEdge,
  freeTree,
  maxWithin,
  NONE,
  spansAbove,
  sumTo,
  treeOf,
} from './edge-tree.ts';
import type { Interval } from './hold.ts';

export type TimeProfile = {
  /** Adds the amount, negative to take it away, over the time. */
  readonly add: (amount: number, over: Interval) => void;
  /** The largest sum at any instant of a time that does not begin before now. */
  readonly peak: (over: Interval) => number;
  /** The sum at an instant that is not before now. */
  readonly at: (ms: number) => number;
  /** The times in which the sum is above the limit, in their order, right from now on. */
  readonly above: (limit: number) => readonly Interval[];
  /** Gives up what it keeps; afterwards nothing is held. */
  readonly clear: () => void;
  /** True when no edge is to come and nothing is held. */
  readonly isEmpty: () => boolean;
};

/** An amount over a time. */
export type Held = { readonly amount: number; readonly over: Interval };

export type ProfileStore = {
  /** With what is held already, which costs less than to add it one by one. */
  readonly create: (held?: readonly Held[]) => TimeProfile;
  /** Nothing before it is asked for any more. It never goes back. */
  readonly setNow: (nowMs: number) => void;
  /** Edges to come that are kept, of all profiles. */
  readonly edges: () => number;
};

export const createProfileStore = (): ProfileStore => {
  const trees = createEdgeTrees();
  const time = { nowMs: -Infinity };
  return {
    setNow: (ms) => {
      time.nowMs = Math.max(time.nowMs, ms);
    },
    create: (held = []) => createProfile(trees, time, held),
    edges: () => trees.used - 1 - trees.free.length,
  };
};

const createProfile = (
  trees: EdgeTrees,
  time: { readonly nowMs: number },
  held: readonly Held[],
): TimeProfile => {
  /** The sum of every edge up to now. */
  let base = 0;
  let root = treeOf(
    trees,
    edgesOf(held).filter(({ ms, by }) => {
      if (ms > time.nowMs) return true;
      base += by;
      return false;
    }),
  );
  const fold = (): void => {
    while (root !== NONE) {
      const { ms, by } = firstEdge(trees, root);
      if (ms > time.nowMs) return;
      base += by;
      root = changeEdge(trees, root, { ms, by: -by });
    }
  };
  const step = (ms: number, by: number): void => {
    if (ms <= time.nowMs) base += by;
    else if (ms < Infinity) root = changeEdge(trees, root, { ms, by });
  };
  return {
    add: (amount, { fromMs, toMs }) => {
      fold();
      if (amount === 0 || fromMs >= toMs) return;
      step(fromMs, amount);
      step(toMs, -amount);
    },
    peak: (over) => {
      fold();
      if (over.fromMs >= over.toMs) return 0;
      const first = sumTo(trees, root, over.fromMs);
      return base + Math.max(first, maxWithin(trees, { node: root, before: 0 }, over));
    },
    at: (ms) => {
      fold();
      return base + sumTo(trees, root, ms);
    },
    above: (limit) => {
      fold();
      return spansAbove(trees, { root, before: base, limit });
    },
    clear: () => {
      freeTree(trees, root);
      root = NONE;
      base = 0;
    },
    isEmpty: () => {
      fold();
      return root === NONE && base === 0;
    },
  };
};

/** In order, each time once, none that changes nothing. */
const edgesOf = (held: readonly Held[]): readonly Edge[] => {
  const steps = new Map<number, number>();
  const step = (ms: number, by: number): void => {
    if (ms < Infinity) steps.set(ms, (steps.get(ms) ?? 0) + by);
  };
  for (const { amount, over } of held) {
    if (over.fromMs >= over.toMs) continue;
    step(over.fromMs, amount);
    step(over.toMs, -amount);
  }
  return [...steps]
    .filter(([, by]) => by !== 0)
    .sort(([a], [b]) => a - b)
    .map(([ms, by]) => ({ ms, by }));
};
