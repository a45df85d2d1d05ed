/** How many of a claim's indices each group of a kind holds, while a plan is in the making. */
import type { ClaimSpec } from './claim.ts';
import type { Place } from './places.ts';
import type { Member, ProviderIndex } from './provider-index.ts';

export type SpreadCounts = {
  readonly add: (index: number, member: Member) => void;
  readonly remove: (index: number, member: Member) => void;
  /** Whether its groups hold fewer indices than are allowed, or this one already. */
  readonly hasRoom: (index: number, member: Member) => boolean;
  /** Ids of the groups of the kind in which a provider is. */
  readonly groupsOf: (member: Member) => readonly string[];
};

/** undefined = any number may be in one group. */
export const createSpreadCounts = (
  index: ProviderIndex,
  { spread }: Pick<ClaimSpec, 'spread'>,
): SpreadCounts | undefined => {
  if (spread === undefined || spread.maxPerGroup === 0) return undefined;
  const { groups } = index.topology();
  const { groupKind, maxPerGroup } = spread;
  /** Placements of each index by group; an index that has none there is not listed. */
  const counts = new Map<string, Map<number, number>>();
  const places = new Map<Place, readonly string[]>();
  const groupsOf = ({ place }: Member): readonly string[] => {
    const known = places.get(place);
    if (known !== undefined) return known;
    const ids = [...place.ids].filter((id) => groups.get(id)?.kind === groupKind);
    places.set(place, ids);
    return ids;
  };
  return {
    add: (at, member) => {
      for (const id of groupsOf(member)) {
        const there = counts.get(id) ?? new Map<number, number>();
        counts.set(id, there);
        there.set(at, (there.get(at) ?? 0) + 1);
      }
    },
    remove: (at, member) => {
      for (const id of groupsOf(member)) {
        const there = counts.get(id);
        const left = (there?.get(at) ?? 0) - 1;
        if (left > 0) there?.set(at, left);
        else there?.delete(at);
        if (there?.size === 0) counts.delete(id);
      }
    },
    hasRoom: (at, member) =>
      groupsOf(member).every((id) => {
        const there = counts.get(id);
        return there === undefined || there.size < maxPerGroup || there.has(at);
      }),
    groupsOf,
  };
};
