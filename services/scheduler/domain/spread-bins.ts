/**
 * Which place comes next when a claim is spread: the group that has least of it so far. Spread over
 * a kind of group counts those; spread over a distance type counts from the farthest kind to the
 * nearest, so that two machines come into two sites before they come into two racks of one.
 */
import type { Candidate } from './candidate.ts';
import type { ClaimSpec } from './claim.ts';
import type { NumberSet } from './number-set.ts';
import { withAbove } from './places.ts';
import { groupKey } from './postings.ts';
import type { ProviderIndex } from './provider-index.ts';
import { shuffleNumber } from './shuffle.ts';
import type { GroupKind } from './topology.ts';

export type Bin = {
  readonly id: string;
  readonly members: NumberSet;
  /** The groups of each kind that count for it, the farthest kind first. */
  readonly counted: readonly string[];
  readonly order: number;
};

export type Bins = {
  readonly add: (candidate: Candidate) => void;
  readonly remove: (candidate: Candidate) => void;
  /** The bins that were not tried, the emptiest first. */
  readonly next: (tried: ReadonlySet<Bin>) => Bin | undefined;
};

type SpreadSpec = Pick<ClaimSpec, 'ranking' | 'rankingDistanceType' | 'spread'>;

/** undefined = the claim is not spread over places. */
export const createBins = (
  index: ProviderIndex,
  spec: SpreadSpec,
  seedHash: number,
): Bins | undefined => {
  const kinds = kindsOf(index, spec);
  if (kinds.length === 0) return undefined;
  const bins = binsOf(index, kinds, seedHash);
  const counts = new Map<string, number>();
  const change = ({ member }: Candidate, by: 1 | -1): void => {
    for (const id of member.place.ids) counts.set(id, (counts.get(id) ?? 0) + by);
  };
  const isBefore = (a: Bin, b: Bin): boolean => {
    for (const [at, id] of a.counted.entries()) {
      const difference = (counts.get(id) ?? 0) - (counts.get(b.counted[at] ?? '') ?? 0);
      if (difference !== 0) return difference < 0;
    }
    return a.order < b.order;
  };
  return {
    add: (candidate) => change(candidate, 1),
    remove: (candidate) => change(candidate, -1),
    next: (tried) => {
      let least: Bin | undefined;
      for (const bin of bins) {
        if (tried.has(bin)) continue;
        if (least === undefined || isBefore(bin, least)) least = bin;
      }
      return least;
    },
  };
};

/** From far to near. */
const kindsOf = (index: ProviderIndex, spec: SpreadSpec): readonly GroupKind[] => {
  if (spec.spread !== undefined) return [spec.spread.groupKind];
  if (spec.ranking !== 'spread' || spec.rankingDistanceType === undefined) return [];
  const steps = index.topology().distanceTypes.get(spec.rankingDistanceType)?.steps ?? [];
  return steps
    .flatMap(({ position, sharedKind }) =>
      sharedKind === undefined ? [] : [{ position, sharedKind }],
    )
    .toSorted((a, b) => b.position - a.position)
    .map(({ sharedKind }) => sharedKind);
};

const binsOf = (
  index: ProviderIndex,
  kinds: readonly GroupKind[],
  seedHash: number,
): readonly Bin[] => {
  const { groups } = index.topology();
  const nearest = kinds.at(-1);
  const bins: Bin[] = [];
  for (const { id, kind } of groups.values()) {
    if (kind !== nearest) continue;
    const members = index.postings.of(groupKey(id));
    if (members.size === 0) continue;
    const around = [...withAbove(groups, [id])];
    const counted = kinds.map(
      (wanted) => around.find((one) => groups.get(one)?.kind === wanted) ?? '',
    );
    bins.push({ id, members, counted, order: shuffleNumber(seedHash, bins.length) });
  }
  return bins;
};
