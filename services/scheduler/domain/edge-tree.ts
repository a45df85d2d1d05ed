/**
 * Trees of edges in time, for time-profile.ts: treaps over flat arrays that all trees share,
 * because a partition has many, most of them small. Their shape follows from the numbers of the
 * nodes, so the same changes make the same trees. A tree is named by its root; a change gives the
 * new one.
 */
import type { Interval } from './hold.ts';

export type EdgeTrees = {
  readonly free: number[];
  /** Number that the next new node gets. */
  used: number;
  time: Float64Array<ArrayBuffer>;
  delta: Float64Array<ArrayBuffer>;
  /** Of the whole subtree. */
  sum: Float64Array<ArrayBuffer>;
  /** The largest sum of a beginning of the subtree, of one node at least. */
  best: Float64Array<ArrayBuffer>;
  left: Int32Array<ArrayBuffer>;
  right: Int32Array<ArrayBuffer>;
};

/** The root of an empty tree. */
export const NONE = 0;

const FIRST_CAPACITY = 64;

export const createEdgeTrees = (): EdgeTrees => ({
  free: [],
  used: NONE + 1,
  time: new Float64Array(FIRST_CAPACITY),
  delta: new Float64Array(FIRST_CAPACITY),
  sum: new Float64Array(FIRST_CAPACITY),
  best: new Float64Array(FIRST_CAPACITY),
  left: new Int32Array(FIRST_CAPACITY),
  right: new Int32Array(FIRST_CAPACITY),
});

export type Edge = { readonly ms: number; readonly by: number };

/** Adds to the edge at that time, which is made where there is none and goes when it becomes 0. */
export const changeEdge = (trees: EdgeTrees, root: number, edge: Edge): number =>
  hasEdge(trees, root, edge.ms)
    ? alter(trees, root, edge)
    : insert(trees, root, newNode(trees, edge));

/** A tree of edges that are in order, each time once. */
export const treeOf = (trees: EdgeTrees, edges: readonly Edge[]): number => {
  /** The right side of what is built, from the root down. */
  const spine: number[] = [];
  for (const edge of edges) {
    const node = newNode(trees, edge);
    let below = NONE;
    for (let last = spine.at(-1); last !== undefined; last = spine.at(-1)) {
      if (weightOf(last) > weightOf(node)) break;
      settle(trees, last);
      below = last;
      spine.pop();
    }
    trees.left[node] = below;
    const above = spine.at(-1);
    if (above !== undefined) trees.right[above] = node;
    spine.push(node);
  }
  for (const node of spine.toReversed()) settle(trees, node);
  return spine[0] ?? NONE;
};

/** Nothing of the tree is needed any more: its nodes are for others. */
export const freeTree = ({ free, left, right }: EdgeTrees, root: number): void => {
  const open = root === NONE ? [] : [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    free.push(node);
    for (const child of [int(left, node), int(right, node)]) if (child !== NONE) open.push(child);
  }
};

/** The earliest edge of a tree that is not empty. */
export const firstEdge = ({ time, delta, left }: EdgeTrees, root: number): Edge => {
  let node = root;
  while (int(left, node) !== NONE) node = int(left, node);
  return { ms: num(time, node), by: num(delta, node) };
};

/** The sum of all edges up to the time, itself included. */
export const sumTo = ({ time, delta, sum, left, right }: EdgeTrees, root: number, ms: number) => {
  let total = 0;
  for (let node = root; node !== NONE; ) {
    if (num(time, node) > ms) node = int(left, node);
    else {
      total += num(sum, int(left, node)) + num(delta, node);
      node = int(right, node);
    }
  }
  return total;
};

/** The largest sum behind an edge that lies within; -Infinity = none does. */
export const maxWithin = (
  trees: EdgeTrees,
  { node, before }: { readonly node: number; readonly before: number },
  { fromMs, toMs }: Interval,
): number => {
  if (node === NONE) return -Infinity;
  const { time, delta, sum, best, left, right } = trees;
  if (fromMs === -Infinity && toMs === Infinity) return before + num(best, node);
  const at = num(time, node);
  const here = before + num(sum, int(left, node)) + num(delta, node);
  const onLeft = { node: int(left, node), before };
  const onRight = { node: int(right, node), before: here };
  if (at <= fromMs) return maxWithin(trees, onRight, { fromMs, toMs });
  if (at >= toMs) return maxWithin(trees, onLeft, { fromMs, toMs });
  return Math.max(
    here,
    maxWithin(trees, onLeft, { fromMs, toMs: Infinity }),
    maxWithin(trees, onRight, { fromMs: -Infinity, toMs }),
  );
};

/**
 * The times in which the sum is above the limit, in their order; `before` is the sum ahead of all
 * edges. What is never above it is passed over.
 */
export const spansAbove = (
  trees: EdgeTrees,
  {
    root,
    before,
    limit,
  }: { readonly root: number; readonly before: number; readonly limit: number },
): readonly Interval[] => {
  const { time, delta, sum, best, left, right } = trees;
  const spans: Interval[] = [];
  let sinceMs = before > limit ? -Infinity : undefined;
  const end = (ms: number): void => {
    if (sinceMs !== undefined) spans.push({ fromMs: sinceMs, toMs: ms });
    sinceMs = undefined;
  };
  const walk = (node: number, ahead: number): void => {
    if (node === NONE) return;
    if (ahead + num(best, node) <= limit) {
      if (sinceMs !== undefined) end(firstEdge(trees, node).ms);
      return;
    }
    walk(int(left, node), ahead);
    const here = ahead + num(sum, int(left, node)) + num(delta, node);
    if (here > limit) sinceMs ??= num(time, node);
    else end(num(time, node));
    walk(int(right, node), here);
  };
  walk(root, before);
  end(Infinity);
  return spans;
};

const num = (array: Float64Array, node: number): number => array[node] ?? 0;
const int = (array: Int32Array, node: number): number => array[node] ?? NONE;

const hasEdge = ({ time, left, right }: EdgeTrees, root: number, ms: number): boolean => {
  for (let node = root; node !== NONE; ) {
    const at = num(time, node);
    if (at === ms) return true;
    node = ms < at ? int(left, node) : int(right, node);
  }
  return false;
};

/** Brings the sums of a node up to its children. */
const settle = ({ delta, sum, best, left, right }: EdgeTrees, node: number): void => {
  const [l, r] = [int(left, node), int(right, node)];
  const here = num(sum, l) + num(delta, node);
  sum[node] = here + num(sum, r);
  let most = here;
  if (l !== NONE) most = Math.max(most, num(best, l));
  if (r !== NONE) most = Math.max(most, here + num(best, r));
  best[node] = most;
};

const newNode = (trees: EdgeTrees, { ms, by }: Edge): number => {
  let node = trees.free.pop();
  if (node === undefined) {
    node = trees.used;
    trees.used += 1;
    if (node >= trees.time.length) grow(trees);
  }
  trees.time[node] = ms;
  trees.delta[node] = by;
  trees.left[node] = NONE;
  trees.right[node] = NONE;
  settle(trees, node);
  return node;
};

const grow = (trees: EdgeTrees): void => {
  const size = trees.time.length * 2;
  for (const name of ['time', 'delta', 'sum', 'best'] as const) {
    const wider = new Float64Array(size);
    wider.set(trees[name]);
    trees[name] = wider;
  }
  for (const name of ['left', 'right'] as const) {
    const wider = new Int32Array(size);
    wider.set(trees[name]);
    trees[name] = wider;
  }
};

const insert = (trees: EdgeTrees, root: number, node: number): number => {
  if (root === NONE) return node;
  const { time, left, right } = trees;
  if (weightOf(node) > weightOf(root)) {
    [left[node], right[node]] = split(trees, root, num(time, node));
    settle(trees, node);
    return node;
  }
  const side = num(time, node) < num(time, root) ? left : right;
  side[root] = insert(trees, int(side, root), node);
  settle(trees, root);
  return root;
};

/** What lies before the time, and what does not. */
const split = (trees: EdgeTrees, node: number, ms: number): readonly [number, number] => {
  if (node === NONE) return [NONE, NONE];
  const { time, left, right } = trees;
  const isBefore = num(time, node) < ms;
  const [a, b] = split(trees, int(isBefore ? right : left, node), ms);
  if (isBefore) right[node] = a;
  else left[node] = b;
  settle(trees, node);
  return isBefore ? [node, b] : [a, node];
};

const alter = (trees: EdgeTrees, node: number, edge: Edge): number => {
  const { time, delta, left, right } = trees;
  const at = num(time, node);
  if (at === edge.ms) {
    const next = num(delta, node) + edge.by;
    if (next === 0) {
      trees.free.push(node);
      return join(trees, int(left, node), int(right, node));
    }
    delta[node] = next;
  } else {
    const side = edge.ms < at ? left : right;
    side[node] = alter(trees, int(side, node), edge);
  }
  settle(trees, node);
  return node;
};

/** One tree of two of which the first lies before the second. */
const join = (trees: EdgeTrees, a: number, b: number): number => {
  if (a === NONE) return b;
  if (b === NONE) return a;
  const { left, right } = trees;
  const top = weightOf(a) > weightOf(b) ? a : b;
  if (top === a) right[a] = join(trees, int(right, a), b);
  else left[b] = join(trees, a, int(left, b));
  settle(trees, top);
  return top;
};

/** A random-looking number that follows from the node's. */
const weightOf = (node: number): number => {
  const once = Math.imul(node ^ (node >>> 16), 0x45d9f3b);
  const twice = Math.imul(once ^ (once >>> 16), 0x45d9f3b);
  return (twice ^ (twice >>> 16)) >>> 0;
};
