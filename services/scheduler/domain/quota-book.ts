/**
 * The quotas of a partition and what is counted against them, exact at every instant. Use is kept
 * up to date of projects and users that are limited, and of projects that somebody asked about; of
 * another it is summed up from the claims when it is first asked for.
 */
import { type ClaimRecord, keyOf } from './claim.ts';
import type { Interval } from './hold.ts';
import { NO_LIMITS, type QuotaRecord, type QuotaUse } from './quota.ts';
import { type Amounts, countedOver, givenAmounts } from './quota-count.ts';
import {
  createProfileStore,
  type Held,
  type ProfileStore,
  type TimeProfile,
} from './time-profile.ts';

/** For whom something counts. */
export type Counting = Pick<ClaimRecord, 'project' | 'ancestors' | 'owner'>;

/** A limit that would be passed. */
export type Excess = {
  /** Key of the project that has the limit. */
  readonly project: string;
  /** undefined = it is the project's, of all users. */
  readonly user: string | undefined;
  readonly resourceType: string;
  readonly limit: number;
  readonly used: number;
  readonly wanted: number;
};

export type QuotaBook = {
  readonly find: (project: string) => QuotaRecord | undefined;
  readonly all: () => Iterable<QuotaRecord>;
  readonly put: (record: QuotaRecord) => void;
  /** Many at once, in one look at what is counted. */
  readonly load: (records: Iterable<QuotaRecord>) => void;
  /** Counts the claim as it is now, in place of what was counted of it; undefined = nothing. */
  readonly count: (uid: string, claim: ClaimRecord | undefined) => void;
  /** Whether its project, or one above it, has a record. */
  readonly areSetFor: (who: Counting) => boolean;
  /** The first limit that so much more would pass at some instant; undefined = none. */
  readonly excess: (who: Counting, more: Amounts, over: Interval) => Excess | undefined;
  /** The times, from now on, in which so much more would pass a limit; they may overlap. */
  readonly timesOfExcess: (who: Counting, more: Amounts) => readonly Interval[];
  /** One per resource type that is limited or used, in the order of the codes. */
  readonly uses: (project: string, nowMs: number) => readonly QuotaUse[];
  /** The same of many, by their keys, in one look at what is counted. */
  readonly usesOf: (projects: readonly string[], nowMs: number) => QuotaUses;
  readonly setNow: (nowMs: number) => void;
  /** Edges to come that are kept, of all that is kept up to date. */
  readonly edges: () => number;
};

/** By the project's key. */
export type QuotaUses = ReadonlyMap<string, readonly QuotaUse[]>;

/** Projects without limits of which use is kept up to date, because somebody asked about them. */
const ASKED_MAX = 1_000;

/** By resource type. */
type Profiles = Map<string, TimeProfile>;

export const createQuotaBook = (): QuotaBook => {
  const records = new Map<string, QuotaRecord>();
  const counted = new Map<string, ClaimRecord>();
  const store = createProfileStore();
  const watched: Watched = { projects: new Map(), users: new Map(), asked: new Set() };

  const change = (claim: ClaimRecord, sign: 1 | -1): void => {
    const over = countedOver(claim);
    if (over === undefined) return;
    for (const key of chainOf(claim)) {
      for (const profiles of [watched.projects.get(key), userProfiles(watched, key, claim.owner)]) {
        if (profiles === undefined) continue;
        for (const [code, amount] of givenAmounts(claim.spec, claim.placements)) {
          const profile = profiles.get(code) ?? store.create();
          profiles.set(code, profile);
          profile.add(sign * amount, over);
        }
      }
    }
  };
  const load = (added: Iterable<QuotaRecord>): void => {
    const fresh: Fresh = { projects: new Map(), users: new Map() };
    for (const record of added) {
      const key = keyOf(record.project);
      records.set(key, record);
      if (record.limits.size > 0) watchProject(watched, fresh, key);
      else if (watched.projects.has(key)) watched.asked.add(key);
      watchUsers(watched, fresh, record);
    }
    sumUp(fresh, counted.values(), store);
  };

  const usesOf = (projects: readonly string[], nowMs: number): QuotaUses => {
    const keys = [...new Set(projects.map(keyOf))];
    const fresh: Fresh = { projects: new Map(), users: new Map() };
    for (const key of keys) {
      if (!watched.projects.has(key)) fresh.projects.set(key, new Map());
    }
    sumUp(fresh, counted.values(), store);
    const uses = keys.map((key) => {
      const profiles = watched.projects.get(key) ?? fresh.projects.get(key);
      const limits = records.get(key)?.limits ?? NO_LIMITS;
      return [key, projectUses(profiles, { limits, nowMs })] as const;
    });
    for (const [key, profiles] of fresh.projects) watched.projects.set(key, profiles);
    noteAsked(watched, records, keys);
    return new Map(uses);
  };

  return {
    find: (project) => records.get(keyOf(project)),
    all: () => records.values(),
    put: (record) => load([record]),
    load,
    count: (uid, claim) => {
      const before = counted.get(uid);
      if (before === claim) return;
      const isCounted = claim !== undefined && countedOver(claim) !== undefined;
      if (isCounted && before !== undefined && countsAs(before, claim)) {
        counted.set(uid, claim);
        return;
      }
      if (before !== undefined) change(before, -1);
      if (!isCounted) {
        counted.delete(uid);
        return;
      }
      counted.set(uid, claim);
      change(claim, 1);
    },
    areSetFor: (who) => records.size > 0 && chainOf(who).some((key) => records.has(key)),
    excess: (who, more, over) => {
      for (const limited of limitedFor({ records, watched }, who)) {
        const excess = excessOf(limited, { more, over });
        if (excess !== undefined) return excess;
      }
      return undefined;
    },
    timesOfExcess: (who, more) =>
      [...limitedFor({ records, watched }, who)].flatMap((limited) => timesOf(limited, more)),
    uses: (project, nowMs) => usesOf([project], nowMs).get(keyOf(project)) ?? [],
    usesOf,
    setNow: store.setNow,
    edges: store.edges,
  };
};

/** Of whom use is to be summed up. */
type Fresh = {
  readonly projects: Map<string, Profiles>;
  /** By project, then principal. */
  readonly users: Map<string, Map<string, Profiles>>;
};

/** Of whom use is kept up to date. */
type Watched = Fresh & {
  /** Keys of the projects that are only asked about; whoever was asked about last is the last. */
  readonly asked: Set<string>;
};

const userProfiles = ({ users }: Fresh, project: string, user: string): Profiles | undefined =>
  users.get(project)?.get(user);

/** What is new goes into `fresh` too, to be summed up. */
const watchProject = (watched: Watched, fresh: Fresh, key: string): void => {
  watched.asked.delete(key);
  if (watched.projects.has(key)) return;
  const profiles: Profiles = new Map();
  watched.projects.set(key, profiles);
  fresh.projects.set(key, profiles);
};

const watchUsers = (watched: Watched, fresh: Fresh, { project, users }: QuotaRecord): void => {
  const key = keyOf(project);
  const before = watched.users.get(key);
  const next = new Map<string, Profiles>();
  const added = new Map<string, Profiles>();
  for (const user of users.keys()) {
    const known = before?.get(user);
    const profiles: Profiles = known ?? new Map();
    next.set(user, profiles);
    if (known === undefined) added.set(user, profiles);
  }
  for (const [user, profiles] of before ?? []) if (!next.has(user)) clear(profiles);
  if (next.size === 0) watched.users.delete(key);
  else watched.users.set(key, next);
  if (added.size > 0) fresh.users.set(key, added);
};

/** Of those that were asked about longest ago nothing is kept. */
const noteAsked = (
  { projects, asked }: Watched,
  records: ReadonlyMap<string, QuotaRecord>,
  keys: readonly string[],
): void => {
  for (const key of keys) {
    if ((records.get(key)?.limits.size ?? 0) > 0) continue;
    asked.delete(key);
    asked.add(key);
  }
  for (const key of asked) {
    if (asked.size <= ASKED_MAX) return;
    asked.delete(key);
    clear(projects.get(key) ?? new Map());
    projects.delete(key);
  }
};

const clear = (profiles: Profiles): void => {
  for (const profile of profiles.values()) profile.clear();
};

/** Fills new profiles from the claims that are counted, in one look at them. */
const sumUp = (fresh: Fresh, claims: Iterable<ClaimRecord>, store: ProfileStore): void => {
  if (fresh.projects.size + fresh.users.size === 0) return;
  const sums = new Map<Profiles, Map<string, Held[]>>();
  for (const claim of claims) {
    const over = countedOver(claim);
    if (over === undefined) continue;
    for (const key of chainOf(claim)) {
      for (const profiles of [fresh.projects.get(key), userProfiles(fresh, key, claim.owner)]) {
        if (profiles === undefined) continue;
        const held = sums.get(profiles) ?? new Map<string, Held[]>();
        sums.set(profiles, held);
        for (const [code, amount] of givenAmounts(claim.spec, claim.placements)) {
          const those = held.get(code) ?? [];
          held.set(code, those);
          those.push({ amount, over });
        }
      }
    }
  }
  for (const [profiles, held] of sums) {
    for (const [code, those] of held) profiles.set(code, store.create(those));
  }
};

/** The project's key and those of the projects above it. */
export const chainOf = ({
  project,
  ancestors,
}: Pick<Counting, 'project' | 'ancestors'>): readonly string[] => [keyOf(project), ...ancestors];

/** True when nothing changed that counts. */
const countsAs = (a: ClaimRecord, b: ClaimRecord): boolean =>
  a.placements === b.placements &&
  a.spec.acquireMs === b.spec.acquireMs &&
  a.spec.releaseMs === b.spec.releaseMs;

type Limited = Pick<Excess, 'project' | 'user'> & {
  readonly limits: ReadonlyMap<string, number>;
  /** What counts against them. */
  readonly profiles: Profiles | undefined;
};

type Kept = {
  readonly records: ReadonlyMap<string, QuotaRecord>;
  readonly watched: Watched;
};

/** Of each project that counts its limits, then those of the user in it. */
function* limitedFor({ records, watched }: Kept, who: Counting): Generator<Limited> {
  for (const key of chainOf(who)) {
    const record = records.get(key);
    if (record === undefined) continue;
    const { limits, users } = record;
    yield { project: key, user: undefined, limits, profiles: watched.projects.get(key) };
    yield {
      project: key,
      user: who.owner,
      limits: users.get(who.owner) ?? NO_LIMITS,
      profiles: userProfiles(watched, key, who.owner),
    };
  }
}

const ALWAYS: Interval = { fromMs: -Infinity, toMs: Infinity };

const timesOf = ({ limits, profiles }: Limited, more: Amounts): readonly Interval[] =>
  [...more].flatMap(([resourceType, wanted]) => {
    const limit = limits.get(resourceType);
    if (limit === undefined || wanted <= 0) return [];
    if (wanted > limit) return [ALWAYS];
    return profiles?.get(resourceType)?.above(limit - wanted) ?? [];
  });

type Asked = { readonly more: Amounts; readonly over: Interval };

const excessOf = (
  { limits, profiles, ...whose }: Limited,
  { more, over }: Asked,
): Excess | undefined => {
  for (const [resourceType, wanted] of more) {
    const limit = limits.get(resourceType);
    if (limit === undefined || wanted <= 0) continue;
    const used = profiles?.get(resourceType)?.peak(over) ?? 0;
    if (used + wanted > limit) return { ...whose, resourceType, limit, used, wanted };
  }
  return undefined;
};

type Asking = { readonly limits: ReadonlyMap<string, number>; readonly nowMs: number };

const projectUses = (profiles: Profiles | undefined, at: Asking): readonly QuotaUse[] =>
  [...new Set([...at.limits.keys(), ...(profiles?.keys() ?? [])])]
    .sort()
    .map((resourceType) => useOf(resourceType, profiles?.get(resourceType), at))
    .filter(({ limit, peak }) => limit !== undefined || peak > 0);

const useOf = (resourceType: string, profile: TimeProfile | undefined, at: Asking): QuotaUse => ({
  resourceType,
  limit: at.limits.get(resourceType),
  used: profile?.at(at.nowMs) ?? 0,
  peak: profile?.peak({ fromMs: at.nowMs, toMs: Infinity }) ?? 0,
});
