/**
 * Whether providers belong to one tree; what a sharing group offers belongs to all its members'.
 */
import type { NumberSet } from './number-set.ts';
import { groupKey } from './postings.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Topology } from './topology.ts';

export const areInOneTree = (index: ProviderIndex, a: Member, b: Member): boolean => {
  const [rootOfA, rootOfB] = [index.forest.rootOf(a.n), index.forest.rootOf(b.n)];
  return rootOfA === rootOfB || isSharedWith(index, a, b) || isSharedWith(index, b, a);
};

const isSharedWith = (index: ProviderIndex, pool: Member, user: Member): boolean => {
  const groups = sharingGroups(index.topology()).get(pool.uid);
  return groups?.some((id) => user.place.ids.has(id)) ?? false;
};

/** Everything that is in one tree with it, as sets. */
export const treeSets = (
  index: ProviderIndex,
  member: Member,
  own: NumberSet,
): readonly NumberSet[] => {
  const { forest, postings } = index;
  const root = forest.rootOf(member.n);
  for (const n of [root, ...forest.below(root)]) own.add(n);
  const groups = sharingGroups(index.topology());
  for (const [uid, ids] of groups) {
    const pool = index.find(uid);
    if (pool !== undefined && ids.some((id) => member.place.ids.has(id))) own.add(pool.n);
  }
  const users = (groups.get(member.uid) ?? []).map((id) => postings.of(groupKey(id)));
  return [own, ...users];
};

const known = new WeakMap<Topology, ReadonlyMap<string, readonly string[]>>();

/** Ids of the groups whose members may use a provider, by its uid. */
const sharingGroups = (topology: Topology): ReadonlyMap<string, readonly string[]> => {
  const before = known.get(topology);
  if (before !== undefined) return before;
  const groups = new Map<string, string[]>();
  for (const { id, sharedProviders } of topology.groups.values()) {
    for (const uid of sharedProviders) groups.set(uid, [...(groups.get(uid) ?? []), id]);
  }
  known.set(topology, groups);
  return groups;
};
