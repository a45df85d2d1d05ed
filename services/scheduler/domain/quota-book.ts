/**
 * The quotas of a partition and what is counted against them, exact at every instant. Use is known
 * of every project, limited or not; of single users only where they are limited.
 */
import { type ClaimRecord, keyOf } from './claim.ts';
import type { Interval } from './hold.ts';
import { NO_LIMITS, type QuotaRecord, type QuotaUse } from './quota.ts';
import { type Amounts, countedOver, givenAmounts } from './quota-count.ts';
import { createProfileStore, type TimeProfile } from './time-profile.ts';

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
  /** Counts the claim as it is now, in place of what was counted of it; undefined = nothing. */
  readonly count: (uid: string, claim: ClaimRecord | undefined) => void;
  /** The first limit that so much more would pass at some instant; undefined = none. */
  readonly excess: (who: Counting, more: Amounts, over: Interval) => Excess | undefined;
  /** One per resource type that is limited or used, in the order of the codes. */
  readonly uses: (project: string, nowMs: number) => readonly QuotaUse[];
  readonly setNow: (nowMs: number) => void;
};

/** By resource type. */
type Profiles = Map<string, TimeProfile>;

export const createQuotaBook = (): QuotaBook => {
  const records = new Map<string, QuotaRecord>();
  const counted = new Map<string, ClaimRecord>();
  const store = createProfileStore();
  const projects = new Map<string, Profiles>();
  /** By project, then principal. */
  const users = new Map<string, Map<string, Profiles>>();

  const add = (profiles: Profiles, claim: ClaimRecord, sign: 1 | -1): void => {
    const over = countedOver(claim);
    if (over === undefined) return;
    for (const [code, amount] of givenAmounts(claim.spec, claim.placements)) {
      const profile = profiles.get(code) ?? store.create();
      profiles.set(code, profile);
      profile.add(sign * amount, over);
    }
  };
  const change = (claim: ClaimRecord, sign: 1 | -1): void => {
    for (const key of chainOf(claim)) {
      const profiles = projects.get(key) ?? new Map<string, TimeProfile>();
      projects.set(key, profiles);
      add(profiles, claim, sign);
      const its = users.get(key)?.get(claim.owner);
      if (its !== undefined) add(its, claim, sign);
    }
  };
  /** Of users that are limited now; what they use is counted from the claims that are there. */
  const watchUsers = ({ project, users: limited }: QuotaRecord): void => {
    const key = keyOf(project);
    const before = users.get(key);
    const next = new Map<string, Profiles>();
    const fresh = new Map<string, Profiles>();
    for (const user of limited.keys()) {
      const known = before?.get(user);
      const profiles: Profiles = known ?? new Map<string, TimeProfile>();
      next.set(user, profiles);
      if (known === undefined) fresh.set(user, profiles);
    }
    users.set(key, next);
    if (fresh.size === 0) return;
    for (const claim of counted.values()) {
      const profiles = fresh.get(claim.owner);
      if (profiles !== undefined && chainOf(claim).includes(key)) add(profiles, claim, 1);
    }
  };

  return {
    find: (project) => records.get(keyOf(project)),
    all: () => records.values(),
    put: (record) => {
      records.set(keyOf(record.project), record);
      watchUsers(record);
    },
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
    excess: (who, more, over) => {
      for (const key of chainOf(who)) {
        const record = records.get(key);
        if (record === undefined) continue;
        const asked = { more, over };
        const limit = { project: key, user: undefined, limits: record.limits };
        const ofProject = excessOf(projects.get(key), limit, asked);
        if (ofProject !== undefined) return ofProject;
        const limits = record.users.get(who.owner) ?? NO_LIMITS;
        const its = users.get(key)?.get(who.owner);
        const ofUser = excessOf(its, { project: key, user: who.owner, limits }, asked);
        if (ofUser !== undefined) return ofUser;
      }
      return undefined;
    },
    uses: (project, nowMs) => {
      const key = keyOf(project);
      const profiles = projects.get(key);
      const limits = records.get(key)?.limits ?? NO_LIMITS;
      return [...new Set([...limits.keys(), ...(profiles?.keys() ?? [])])]
        .sort()
        .map((resourceType) => useOf(resourceType, profiles?.get(resourceType), { limits, nowMs }))
        .filter(({ limit, peak }) => limit !== undefined || peak > 0);
    },
    setNow: store.setNow,
  };
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

type Limited = Pick<Excess, 'project' | 'user'> & { readonly limits: ReadonlyMap<string, number> };
type Asked = { readonly more: Amounts; readonly over: Interval };

const excessOf = (
  profiles: Profiles | undefined,
  { limits, ...whose }: Limited,
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

const useOf = (
  resourceType: string,
  profile: TimeProfile | undefined,
  at: { readonly limits: ReadonlyMap<string, number>; readonly nowMs: number },
): QuotaUse => ({
  resourceType,
  limit: at.limits.get(resourceType),
  used: profile?.at(at.nowMs) ?? 0,
  peak: profile?.peak({ fromMs: at.nowMs, toMs: Infinity }) ?? 0,
});
