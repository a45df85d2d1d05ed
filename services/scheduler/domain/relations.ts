/**
 * What the placements of one claim demand of each other: one tree, distances between them, groups
 * of a kind that are not to fill up, and what several providers of one group must have together.
 * It knows what is chosen so far, so that a candidate is compared with those alone that concern it.
 */
import type { Looks } from './budget.ts';
import type { Candidate } from './candidate.ts';
import { type ClaimSpec, isOverSeveral, type RequestGroup } from './claim.ts';
import { createLacking, meetsTogether } from './collective.ts';
import { createDistanceRules, type DistanceRules } from './distance-rules.ts';
import { NumberSet } from './number-set.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { sizeOf } from './selection.ts';
import type { Chosen, Slot } from './slot.ts';
import { createSpreadCounts } from './spread-counts.ts';
import { areInOneTree, treeSets } from './trees.ts';

export type Relations = {
  /** Whether there is anything to judge at all. */
  readonly exist: boolean;
  readonly add: (one: Chosen) => void;
  /** The last that was added of its index. */
  readonly remove: (one: Chosen) => void;
  /** Whether it goes with what was added. */
  readonly allows: (slot: Slot, candidate: Candidate) => boolean;
  /** Where the candidate must be because of what was added; undefined = anywhere. */
  readonly narrow: (slot: Slot) => readonly NumberSet[] | undefined;
  /** Ids of the groups that hold something of the index and are not to fill up. */
  readonly groupsAt: (index: number) => ReadonlySet<string>;
};

export const createRelations = (
  index: ProviderIndex,
  spec: Pick<ClaimSpec, 'groups' | 'spread'>,
  spent: Looks = { looks: 0 },
): Relations => {
  const spread = createSpreadCounts(index, spec);
  const rules = createDistanceRules(index, spec, spent);
  const exist = spread !== undefined || spec.groups.some(isRelated);
  const together = createTogether(spec.groups, rules);
  const trees = createTrees(index, spent);
  const lacking = createLacking(index);
  return {
    exist,
    add: (one) => {
      if (!exist) return;
      together.add(one);
      spread?.add(one.slot.index, one.candidate.member);
    },
    remove: (one) => {
      if (!exist) return;
      together.remove(one);
      spread?.remove(one.slot.index, one.candidate.member);
    },
    allows: (slot, { member }) => {
      if (!exist) return true;
      if (spread !== undefined && !spread.hasRoom(slot.index, member)) return false;
      for (const other of together.concerning(slot)) {
        spent.looks += PAIR_LOOKS;
        if (!arePaired({ index, rules }, other, { slot, member })) return false;
      }
      if (!isOverSeveral(slot.run.group)) return true;
      spent.looks += COLLECTIVE_LOOKS;
      return isCollective(index, together.at(slot.index), { slot, member });
    },
    narrow: (slot) => {
      if (!exist) return undefined;
      const { group } = slot.run;
      const parts = isOverSeveral(group) ? partsOf(group, together.at(slot.index)) : [];
      const isLast = parts.length > 0 && parts.length + 1 === group.resources.length;
      let least = isLast ? lacking(group, parts) : undefined;
      for (const other of together.concerning(slot)) {
        spent.looks += PAIR_LOOKS;
        const sets = narrowedBy({ rules, trees }, other, slot);
        if (sets !== undefined && (least === undefined || sizeOf(sets) < sizeOf(least))) {
          least = sets;
        }
      }
      return least;
    },
    groupsAt: (at) =>
      new Set(together.at(at).flatMap(({ candidate }) => spread?.groupsOf(candidate.member) ?? [])),
  };
};

/** Whether its placements depend on each other or on those of other groups. */
export const isRelated = (group: RequestGroup): boolean =>
  isOverSeveral(group) ||
  (group.sameSubtree ?? []).length > 0 ||
  (group.distances ?? []).some(({ from }) => from.kind === 'request-group');

type Together = {
  readonly add: (one: Chosen) => void;
  readonly remove: (one: Chosen) => void;
  readonly at: (index: number) => readonly Chosen[];
  /** Those that may demand something of a placement, or it of them. */
  readonly concerning: (slot: Slot) => readonly Chosen[];
};

/**
 * Of another group the placement of the same index counts, of the own group all others where they
 * keep a distance: so machines of one claim can be kept apart.
 */
const createTogether = (groups: readonly RequestGroup[], { isApart }: DistanceRules): Together => {
  const related = new Map(
    groups.map((one) => [one, new Set(groups.filter((other) => demand(one, other)))]),
  );
  const byIndex = new Map<number, Chosen[]>();
  const apart = new Map<RequestGroup, Chosen[]>();
  const put = <Key>(lists: Map<Key, Chosen[]>, key: Key, one: Chosen): void => {
    const those = lists.get(key) ?? [];
    lists.set(key, those);
    those.push(one);
  };
  return {
    add: (one) => {
      const { run, index } = one.slot;
      put(byIndex, index, one);
      if (isApart(run.group)) put(apart, run.group, one);
    },
    remove: ({ slot }) => {
      byIndex.get(slot.index)?.pop();
      if (isApart(slot.run.group)) apart.get(slot.run.group)?.pop();
    },
    at: (index) => byIndex.get(index) ?? NONE,
    concerning: ({ run, index }) => {
      const those = related.get(run.group);
      const there = byIndex.get(index) ?? NONE;
      const isAll = those === undefined || those.size === groups.length;
      const same = isAll ? there : there.filter(({ slot }) => those.has(slot.run.group));
      const others = apart.get(run.group);
      if (others === undefined) return same;
      return [...same, ...others.filter(({ slot }) => slot.index !== index)];
    },
  };
};

/** Whether one of the groups demands something of the other. */
const demand = (a: RequestGroup, b: RequestGroup): boolean => names(a, b) || names(b, a);

const names = ({ sameSubtree, distances }: RequestGroup, { name }: RequestGroup): boolean =>
  (sameSubtree ?? []).includes(name) ||
  (distances ?? []).some(({ from }) => from.kind === 'request-group' && from.name === name);

const NONE: readonly Chosen[] = [];

type Placed = { readonly slot: Slot; readonly member: Member };

type Judges = { readonly index: ProviderIndex; readonly rules: DistanceRules };

const arePaired = ({ index, rules }: Judges, before: Chosen, placed: Placed): boolean => {
  const there = { group: before.slot.run.group, member: before.candidate.member };
  const here = { group: placed.slot.run.group, member: placed.member };
  if (needOneTree(before.slot, placed.slot) && !areInOneTree(index, there.member, here.member)) {
    return false;
  }
  if (!areFar(before.slot, placed.slot)) return true;
  return rules.allow({ ...there, other: here }) && rules.allow({ ...here, other: there });
};

/** Whether distances between them count: between groups at one index, in a group at two. */
const areFar = (a: Slot, b: Slot): boolean =>
  (a.run.group === b.run.group) !== (a.index === b.index);

const needOneTree = (a: Slot, b: Slot): boolean => wantsOneTree(a, b) || wantsOneTree(b, a);

/** `slot` asks to be in one tree with `other`. */
const wantsOneTree = (slot: Slot, other: Slot): boolean =>
  slot.index === other.index && (slot.run.group.sameSubtree ?? []).includes(other.run.group.name);

type Narrows = {
  readonly rules: DistanceRules;
  readonly trees: (member: Member) => readonly NumberSet[];
};

const narrowedBy = (
  { rules, trees }: Narrows,
  { slot: other, candidate }: Chosen,
  slot: Slot,
): readonly NumberSet[] | undefined => {
  const { member } = candidate;
  if (needOneTree(slot, other)) return trees(member);
  if (!areFar(slot, other)) return undefined;
  return rules.narrow(slot.run.group, { group: other.run.group, member });
};

const createTrees = (index: ProviderIndex, spent: Looks): Narrows['trees'] => {
  const known = new Map<number, readonly NumberSet[]>();
  return (member) => {
    const before = known.get(member.n);
    if (before !== undefined) return before;
    const sets = treeSets(index, member, new NumberSet());
    spent.looks += TREE_LOOKS + (sets[0]?.size ?? 0);
    known.set(member.n, sets);
    return sets;
  };
};

/** What comparing two placements takes, in looks. */
const PAIR_LOOKS = 3;
/** What finding a tree takes beside its members, in looks. */
const TREE_LOOKS = 64;
/** What looking at several providers together takes, in looks. */
const COLLECTIVE_LOOKS = 64;

/** With the last provider of a group of several, whether all together are what was asked for. */
const isCollective = (
  index: ProviderIndex,
  chosen: readonly Chosen[],
  { slot, member }: Placed,
): boolean => {
  const { group } = slot.run;
  const parts = partsOf(group, chosen);
  if (parts.length + 1 < group.resources.length) return true;
  return meetsTogether(index, group, [...parts, member]);
};

/** Of what is chosen at one index the providers of the group. */
const partsOf = (group: RequestGroup, chosen: readonly Chosen[]): readonly Member[] =>
  chosen.flatMap(({ slot, candidate }) => (slot.run.group === group ? [candidate.member] : []));
