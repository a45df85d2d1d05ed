/** Which provider is a part of which, by their numbers. A part may be known before its whole. */
export type Forest = {
  /** Says of which provider it is a part; undefined = of none. */
  readonly setParent: (n: number, parentUid: string | undefined) => void;
  /** A provider with that uid is known now: parts that waited for it are its own. */
  readonly adopt: (uid: string, n: number) => readonly number[];
  /** It is not known any more; its parts wait for it. */
  readonly orphan: (uid: string, n: number) => void;
  readonly parentOf: (n: number) => number | undefined;
  /** Those above it, nearest first. */
  readonly above: (n: number) => readonly number[];
  /** Those below it, without itself. */
  readonly below: (n: number) => readonly number[];
  readonly rootOf: (n: number) => number;
  /** True when it is a part of something or has parts. */
  readonly isInTree: (n: number) => boolean;
  /** How many providers that are not known parts wait for. */
  readonly awaited: () => number;
  /** True when nothing is a part of anything. */
  readonly isFlat: () => boolean;
};

/** Inventory refuses cycles; a stream of changes may show one for a moment. */
const LEVELS_MAX = 64;

export const createForest = (numberOf: (uid: string) => number | undefined): Forest => {
  const parents = new Map<number, number>();
  const children = new Map<number, Set<number>>();
  const waiting = new Map<string, Set<number>>();
  const parentUids = new Map<number, string>();

  const link = (n: number, parent: number): void => {
    parents.set(n, parent);
    const siblings = children.get(parent) ?? new Set<number>();
    children.set(parent, siblings);
    siblings.add(n);
  };
  const unlink = (n: number): void => {
    const parent = parents.get(n);
    if (parent === undefined) return;
    parents.delete(n);
    const siblings = children.get(parent);
    siblings?.delete(n);
    if (siblings?.size === 0) children.delete(parent);
  };
  const wait = (n: number, uid: string): void => {
    const those = waiting.get(uid) ?? new Set<number>();
    waiting.set(uid, those);
    those.add(n);
  };
  const stopWaiting = (n: number, uid: string): void => {
    const those = waiting.get(uid);
    those?.delete(n);
    if (those?.size === 0) waiting.delete(uid);
  };
  const above = (n: number): readonly number[] => {
    const found: number[] = [];
    for (let at = parents.get(n); at !== undefined; at = parents.get(at)) {
      if (at === n || found.length >= LEVELS_MAX) break;
      found.push(at);
    }
    return found;
  };

  return {
    setParent: (n, parentUid) => {
      const before = parentUids.get(n);
      if (before === parentUid) return;
      unlink(n);
      if (before !== undefined) stopWaiting(n, before);
      if (parentUid === undefined) {
        parentUids.delete(n);
        return;
      }
      parentUids.set(n, parentUid);
      const parent = numberOf(parentUid);
      if (parent === undefined) wait(n, parentUid);
      else link(n, parent);
    },
    adopt: (uid, n) => {
      const those = [...(waiting.get(uid) ?? [])];
      waiting.delete(uid);
      for (const child of those) link(child, n);
      return those;
    },
    orphan: (uid, n) => {
      for (const child of [...(children.get(n) ?? [])]) {
        unlink(child);
        wait(child, uid);
      }
    },
    parentOf: (n) => parents.get(n),
    above,
    below: (n) => {
      const found = new Set<number>();
      const open = [n];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        for (const child of children.get(at) ?? []) {
          if (child === n || found.has(child)) continue;
          found.add(child);
          open.push(child);
        }
      }
      return [...found];
    },
    rootOf: (n) => above(n).at(-1) ?? n,
    isInTree: (n) => parents.has(n) || children.has(n),
    awaited: () => waiting.size,
    isFlat: () => parents.size === 0,
  };
};
