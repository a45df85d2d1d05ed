/**
 * What the placements of one claim demand of each other: one tree, distances between them, groups
 * of a kind that are not to fill up, and what several providers of one group must have together.
 */
import type { Candidate } from './candidate.ts';
import type { ClaimSpec, DistanceConstraint, RequestGroup } from './claim.ts';
import { meetsTogether } from './collective.ts';
import { nearMember } from './distance.ts';
import { NumberSet } from './number-set.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Chosen, Slot } from './slot.ts';
import { boundsOf } from './step-bounds.ts';
import type { GroupKind } from './topology.ts';
import { areInOneTree, treeSets } from './trees.ts';

export type Relations = {
  /** Whether there is anything to judge at all. */
  readonly exist: boolean;
  readonly allows: (chosen: readonly Chosen[], slot: Slot, candidate: Candidate) => boolean;
  /** Where the candidate must be because of what is chosen; undefined = anywhere. */
  readonly narrow: (chosen: readonly Chosen[], slot: Slot) => readonly NumberSet[] | undefined;
};

export const createRelations = (
  index: ProviderIndex,
  spec: Pick<ClaimSpec, 'groups' | 'spread'>,
): Relations => {
  const max = spec.spread?.maxPerGroup ?? 0;
  const isSpread = spec.spread !== undefined && max > 0;
  const exist = isSpread || spec.groups.some(isRelated);
  return {
    exist,
    allows: (chosen, slot, candidate) => {
      if (!exist) return true;
      if (isSpread && !leavesRoom(index, { chosen, slot, candidate, spread: spec.spread, max })) {
        return false;
      }
      const { member } = candidate;
      for (const other of chosen) if (!arePaired(index, other, { slot, member })) return false;
      return isCollective(index, chosen, { slot, member });
    },
    narrow: (chosen, slot) => {
      if (!exist) return undefined;
      for (const other of chosen) {
        const sets = narrowedBy(index, other, slot);
        if (sets !== undefined) return sets;
      }
      return undefined;
    },
  };
};

const isRelated = (group: RequestGroup): boolean =>
  group.multipleProviders === true ||
  (group.sameSubtree ?? []).length > 0 ||
  (group.distances ?? []).some(({ from }) => from.kind === 'request-group');

type Placed = { readonly slot: Slot; readonly member: Member };

const arePaired = (index: ProviderIndex, { slot, candidate }: Chosen, placed: Placed): boolean => {
  const before = { slot, member: candidate.member };
  const needsTree =
    wantsOneTree(before.slot, placed.slot) || wantsOneTree(placed.slot, before.slot);
  if (needsTree && !areInOneTree(index, before.member, placed.member)) return false;
  return isFarEnough(index, before, placed) && isFarEnough(index, placed, before);
};

/** `slot` asks to be in one tree with `other`. */
const wantsOneTree = (slot: Slot, other: Slot): boolean =>
  slot.index === other.index && (slot.run.group.sameSubtree ?? []).includes(other.run.group.name);

/** What `placed` asks of its distance from `other`. */
const isFarEnough = (index: ProviderIndex, placed: Placed, other: Placed): boolean =>
  distancesBetween(placed.slot, other.slot).every((wanted) => {
    const { least, most } = boundsOf(index.topology(), wanted);
    const { type } = wanted;
    const isNear = (position: number) =>
      nearMember(index, { type, position }, other.member).some((set) => set.has(placed.member.n));
    return (most === Infinity || isNear(most)) && (least <= 0 || !isNear(least - 1));
  });

/**
 * Of another group the placement of the same index counts, of the own group all others: so machines
 * of one claim can be kept apart.
 */
const distancesBetween = (slot: Slot, other: Slot): readonly DistanceConstraint[] =>
  (slot.run.group.distances ?? []).filter(({ from }) => {
    if (from.kind !== 'request-group' || from.name !== other.run.group.name) return false;
    const isOwn = slot.run.group === other.run.group;
    return isOwn ? slot.index !== other.index : slot.index === other.index;
  });

const narrowedBy = (
  index: ProviderIndex,
  { slot: other, candidate }: Chosen,
  slot: Slot,
): readonly NumberSet[] | undefined => {
  const { member } = candidate;
  if (wantsOneTree(slot, other) || wantsOneTree(other, slot)) {
    return treeSets(index, member, new NumberSet());
  }
  for (const one of distancesBetween(slot, other)) {
    const { most } = boundsOf(index.topology(), one);
    if (most !== Infinity) return nearMember(index, { type: one.type, position: most }, member);
  }
  return undefined;
};

type SpreadQuestion = {
  readonly chosen: readonly Chosen[];
  readonly slot: Slot;
  readonly candidate: Candidate;
  readonly spread: { readonly groupKind: GroupKind } | undefined;
  readonly max: number;
};

/** Whether its groups of the kind hold fewer indices than are allowed, or this one already. */
const leavesRoom = (
  index: ProviderIndex,
  { chosen, slot, candidate, spread, max }: SpreadQuestion,
): boolean => {
  const { groups } = index.topology();
  for (const id of candidate.member.place.ids) {
    if (groups.get(id)?.kind !== spread?.groupKind) continue;
    const indices = new Set<number>();
    for (const one of chosen) {
      if (one.candidate.member.place.ids.has(id)) indices.add(one.slot.index);
    }
    if (!indices.has(slot.index) && indices.size >= max) return false;
  }
  return true;
};

/** With the last provider of a group of several, whether all together are what was asked for. */
const isCollective = (
  index: ProviderIndex,
  chosen: readonly Chosen[],
  { slot, member }: Placed,
): boolean => {
  const { group } = slot.run;
  if (group.multipleProviders !== true) return true;
  const parts = chosen.filter(
    (one) => one.slot.run.group === group && one.slot.index === slot.index,
  );
  if (parts.length + 1 < group.resources.length) return true;
  return meetsTogether(index, group, [...parts.map((one) => one.candidate.member), member]);
};
