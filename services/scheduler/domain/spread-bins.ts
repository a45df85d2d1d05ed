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
  /** Its members, as one list of sets. */
  readonly sets: readonly NumberSet[];
  readonly members: NumberSet;
  /** Numbers of the groups of each kind that count for it, the farthest kind first. */
  readonly counted: readonly number[];
  readonly order: number;
};

export type Bins = {
  readonly all: readonly Bin[];
  /** Whether whatever is chosen must be in one of them. */
  readonly holdAll: boolean;
  readonly find: (id: string) => Bin | undefined;
  readonly add: (candidate: Candidate) => void;
  readonly remove: (candidate: Candidate) => void;
  /** Those that are not left out, the emptiest first. */
  readonly inOrder: (isLeftOut: (bin: Bin) => boolean) => Iterable<Bin>;
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
  const numbers = new Map<string, number>();
  const bins = binsOf(index, kinds, { seedHash, numbers });
  const byId = new Map(bins.map((bin) => [bin.id, bin]));
  const counts = new Int32Array(numbers.size);
  const change = ({ member }: Candidate, by: 1 | -1): void => {
    for (const id of member.place.ids) {
      const number = numbers.get(id);
      if (number !== undefined) counts[number] = (counts[number] ?? 0) + by;
    }
  };
  const compare = (a: Bin, b: Bin): number => {
    for (let at = 0; at < a.counted.length; at += 1) {
      const difference = (counts[a.counted[at] ?? -1] ?? 0) - (counts[b.counted[at] ?? -1] ?? 0);
      if (difference !== 0) return difference;
    }
    return a.order - b.order;
  };
  return {
    all: bins,
    holdAll: spec.spread !== undefined,
    find: (id) => byId.get(id),
    add: (candidate) => change(candidate, 1),
    remove: (candidate) => change(candidate, -1),
    *inOrder(isLeftOut) {
      let first: Bin | undefined;
      for (const bin of bins) {
        if (isLeftOut(bin)) continue;
        if (first === undefined || compare(bin, first) < 0) first = bin;
      }
      if (first === undefined) return;
      yield first;
      // Most placements come into the first; the rest is sorted when it is asked for.
      yield* bins.filter((bin) => bin !== first && !isLeftOut(bin)).sort(compare);
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

type Numbering = {
  readonly seedHash: number;
  /** Of the groups that count, by their ids. */
  readonly numbers: Map<string, number>;
};

const binsOf = (
  index: ProviderIndex,
  kinds: readonly GroupKind[],
  { seedHash, numbers }: Numbering,
): readonly Bin[] => {
  const { groups } = index.topology();
  const nearest = kinds.at(-1);
  const numberOf = (id: string | undefined): number => {
    if (id === undefined) return -1;
    const number = numbers.get(id) ?? numbers.size;
    numbers.set(id, number);
    return number;
  };
  const bins: Bin[] = [];
  for (const { id, kind } of groups.values()) {
    if (kind !== nearest) continue;
    const members = index.postings.of(groupKey(id));
    if (members.size === 0) continue;
    const around = [...withAbove(groups, [id])];
    const counted = kinds.map((wanted) =>
      numberOf(around.find((one) => groups.get(one)?.kind === wanted)),
    );
    const order = shuffleNumber(seedHash, bins.length);
    bins.push({ id, sets: [members], members, counted, order });
  }
  return bins;
};
