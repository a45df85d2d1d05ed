import type { Topology } from '../domain/topology.ts';
import type { PartitionView } from '../ports.ts';

/** A chain that is longer has a cycle in it. */
const LEVELS_MAX = 64;
const NONE: ReadonlySet<string> = new Set();

/**
 * Whether a provider is in the group: by its own groups, by those above them, or by the provider of
 * which it is a part. Providers with the same groups are judged once.
 */
export const membersOf = (
  view: PartitionView,
  { groups }: Topology,
  group: string,
): ((providerUid: string) => boolean) => {
  const judged = new Map<ReadonlySet<string>, boolean>();
  const isWithin = (id: string): boolean => {
    let at: string | undefined = id;
    for (let level = 0; at !== undefined && level < LEVELS_MAX; level += 1) {
      if (at === group) return true;
      at = groups.get(at)?.parent;
    }
    return false;
  };
  const hasGroup = (its: ReadonlySet<string>): boolean => {
    const known = judged.get(its) ?? [...its].some(isWithin);
    judged.set(its, known);
    return known;
  };
  return (providerUid) => {
    let uid: string | undefined = providerUid;
    for (let level = 0; uid !== undefined && level < LEVELS_MAX; level += 1) {
      const facts = view.facts(uid);
      if (hasGroup(facts?.groups ?? NONE)) return true;
      uid = facts?.parentUid;
    }
    return false;
  };
};
