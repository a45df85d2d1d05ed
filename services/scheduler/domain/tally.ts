/** What a plan in the making uses of each provider. */
import type { Candidate } from './candidate.ts';
import { type ResourceRequest, WHOLE } from './claim.ts';
import { leastAmount, mostAmount } from './granted.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { Load } from './scorer.ts';

/** What one placement takes, and of which request group it is. */
export type Take = {
  readonly position: number;
  readonly resources: readonly ResourceRequest[];
  readonly wantsWhole: boolean;
  /** Positions of groups that may not share a provider with it. */
  readonly isolatedFrom: ReadonlySet<number>;
};

export type Tally = {
  readonly add: (candidate: Candidate, take: Take) => void;
  readonly remove: (candidate: Candidate, take: Take) => void;
  /** What the plan uses something of. */
  readonly used: () => Iterable<Used>;
  readonly isUsed: (n: number) => boolean;
  /** How many more of these fit beside what the plan has there, never more than `most`. */
  readonly room: (candidate: Candidate, take: Take, most: number) => number;
  readonly loadsOf: (candidate: Candidate, take: Take) => readonly Load[];
  /** Free of a provider beside what the plan takes. */
  readonly freeOf: (candidate: Candidate, resourceType: string) => number;
  /** Takes more of a provider than the least; for what is given beyond a minimum. */
  readonly takeMore: (candidate: Candidate, resourceType: string, amount: number) => void;
};

export type Used = {
  readonly candidate: Candidate;
  /**
   * What each run made of it since it changed last, by the run's number; null = it has no room.
   * undefined = what the plan takes of others counts too, so nothing is kept.
   */
  readonly scores: (Scored | null)[] | undefined;
};

export type Scored = { readonly candidate: Candidate; readonly score: number };

type Entry = Used & {
  readonly amounts: Map<string, number>;
  /** Placements by position of their group. */
  readonly placements: Map<number, number>;
};

export const createTally = ({ forest }: ProviderIndex): Tally => {
  const entries = new Map<number, Entry>();

  const change = (candidate: Candidate, { position, resources }: Take, by: 1 | -1): void => {
    const { n } = candidate.member;
    const entry = entries.get(n) ?? entryOf(candidate, !forest.isInTree(n));
    entries.set(n, entry);
    for (const asked of resources) {
      addTo(entry.amounts, asked.resourceType, by * leastOf(candidate, asked));
    }
    addTo(entry.placements, position, by);
    if (entry.scores !== undefined) entry.scores.length = 0;
    if (entry.placements.size === 0) entries.delete(n);
  };
  const freeOf = ({ member, vacancy }: Candidate, resourceType: string): number =>
    vacancy.free(resourceType) - (entries.get(member.n)?.amounts.get(resourceType) ?? 0);
  const isWholeAt = (n: number): boolean => (entries.get(n)?.amounts.get(WHOLE) ?? 0) > 0;

  /** The plan takes something in the same tree that leaves nothing for it. */
  const isBlockedInTree = (n: number, wantsWhole: boolean): boolean => {
    if (entries.size === 0 || !forest.isInTree(n)) return false;
    if (forest.above(n).some(isWholeAt)) return true;
    return wantsWhole && forest.below(n).some((part) => entries.has(part));
  };

  return {
    add: (candidate, take) => change(candidate, take, 1),
    remove: (candidate, take) => change(candidate, take, -1),
    used: () => entries.values(),
    isUsed: (n) => entries.has(n),
    freeOf,
    room: (candidate, { resources, wantsWhole, isolatedFrom }, most) => {
      const { n, shape } = candidate.member;
      const entry = entries.get(n);
      if (entry !== undefined) {
        for (const other of isolatedFrom) if (entry.placements.has(other)) return 0;
      }
      if (isBlockedInTree(n, wantsWhole)) return 0;
      if (wantsWhole) return entry === undefined ? 1 : 0;
      if (isWholeAt(n)) return 0;
      let room = most;
      for (const asked of resources) {
        const offer = shape.offers.get(asked.resourceType);
        const free = freeOf(candidate, asked.resourceType);
        if (offer === undefined || mostAmount(offer, asked, free) === undefined) return 0;
        room = Math.min(room, Math.floor(free / leastOf(candidate, asked)));
      }
      return Math.max(0, room);
    },
    loadsOf: (candidate, { resources }) =>
      resources.map(({ resourceType }) => ({
        usable: candidate.member.shape.offers.get(resourceType)?.usable ?? 0,
        free: freeOf(candidate, resourceType),
      })),
    takeMore: ({ member }, resourceType, amount) => {
      const entry = entries.get(member.n);
      if (entry !== undefined) addTo(entry.amounts, resourceType, amount);
    },
  };
};

/** What is surely given; more is given once everything has its place. */
export const leastOf = ({ member }: Pick<Candidate, 'member'>, asked: ResourceRequest): number => {
  const offer = member.shape.offers.get(asked.resourceType);
  return (offer === undefined ? undefined : leastAmount(offer, asked)) ?? asked.amount;
};

const entryOf = (candidate: Candidate, isAlone: boolean): Entry => ({
  candidate,
  scores: isAlone ? [] : undefined,
  amounts: new Map(),
  placements: new Map(),
});

const addTo = <Key>(map: Map<Key, number>, key: Key, by: number): void => {
  const sum = (map.get(key) ?? 0) + by;
  if (sum === 0) map.delete(key);
  else map.set(key, sum);
};
