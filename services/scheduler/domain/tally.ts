/** What a plan in the making uses of each provider. */
import { WHOLE } from './claim.ts';
import type { Load } from './scorer.ts';
import type { Candidate, SearchGroup, SearchRequest } from './search.ts';
import { wantsWhole } from './vacancy.ts';

export type Tally = {
  readonly add: (candidate: Candidate, position: number) => void;
  readonly remove: (candidate: Candidate, position: number) => void;
  readonly isUsed: (candidate: Candidate) => boolean;
  /** Candidates of the group that the plan uses, for whatever group. */
  readonly used: (search: SearchGroup) => readonly Candidate[];
  /** Whether one more placement of the group fits beside what the plan has there. */
  readonly fits: (candidate: Candidate, search: SearchGroup, position: number) => boolean;
  /** Whether `wanted` placements of the group fit on its candidates, were it alone from here on. */
  readonly hasRoom: (
    search: SearchGroup,
    position: number,
    wanted: number,
    without: ReadonlySet<Candidate>,
  ) => boolean;
  readonly loadsOf: (candidate: Candidate, position: number) => readonly Load[];
};

type Entry = {
  readonly amounts: Map<string, number>;
  /** Placements by position of their group. */
  readonly placements: Map<number, number>;
};

export const createTally = ({ groups }: Pick<SearchRequest, 'groups'>): Tally => {
  const entries = new Map<string, Entry>();
  // A provider may be a candidate of several groups: each has its own object for it.
  const own = groups.map((one) => new Map(one.candidates.map((each) => [each.uid, each])));

  const change = (candidate: Candidate, position: number, by: 1 | -1): void => {
    const entry = entries.get(candidate.uid) ?? { amounts: new Map(), placements: new Map() };
    entries.set(candidate.uid, entry);
    for (const { resourceType, amount } of groups[position]?.group.resources ?? []) {
      entry.amounts.set(resourceType, (entry.amounts.get(resourceType) ?? 0) + by * amount);
    }
    const placements = (entry.placements.get(position) ?? 0) + by;
    if (placements === 0) entry.placements.delete(position);
    else entry.placements.set(position, placements);
    if (entry.placements.size === 0) entries.delete(candidate.uid);
  };
  const freeOf = (candidate: Candidate, resourceType: string): number =>
    candidate.vacancy.free(resourceType) -
    (entries.get(candidate.uid)?.amounts.get(resourceType) ?? 0);

  /** How many more placements of the group fit, never more than `most`. */
  const roomOn = (candidate: Candidate, search: SearchGroup, most: number): number => {
    const entry = entries.get(candidate.uid);
    const { group, isolatedFrom } = search;
    for (const other of isolatedFrom) if (entry?.placements.has(other)) return 0;
    if (wantsWhole(group)) return entry === undefined ? 1 : 0;
    if ((entry?.amounts.get(WHOLE) ?? 0) > 0) return 0;
    let room = most;
    for (const { resourceType, amount } of group.resources) {
      room = Math.min(room, Math.floor(freeOf(candidate, resourceType) / amount));
    }
    return Math.max(0, room);
  };

  return {
    add: (candidate, position) => change(candidate, position, 1),
    remove: (candidate, position) => change(candidate, position, -1),
    isUsed: ({ uid }) => entries.has(uid),
    used: (search) => {
      const candidates = own[groups.indexOf(search)];
      return [...entries.keys()].flatMap((uid) => candidates?.get(uid) ?? []);
    },
    fits: (candidate, search) => roomOn(candidate, search, 1) > 0,
    hasRoom: (search, position, wanted, without) => {
      const most = search.isolatedFrom.has(position) ? 1 : wanted;
      let room = 0;
      for (const candidate of search.candidates) {
        if (room >= wanted) break;
        if (!without.has(candidate)) room += roomOn(candidate, search, most);
      }
      return room >= wanted;
    },
    loadsOf: (candidate, position) =>
      (groups[position]?.group.resources ?? []).map(({ resourceType }) => ({
        usable: candidate.offers.get(resourceType)?.usable ?? 0,
        free: freeOf(candidate, resourceType),
      })),
  };
};
