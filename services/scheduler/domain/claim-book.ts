/** The claims of a partition in memory, found by uid, name, project and provider. */
import { type ClaimRecord, isEnded, keyOf } from './claim.ts';

export type ClaimBook = {
  readonly put: (claim: ClaimRecord) => void;
  readonly remove: (uid: string) => void;
  readonly get: (uid: string) => ClaimRecord | undefined;
  /** The living claim of that name, else the one of that name that ended last. */
  readonly findByName: (project: string, claimId: string) => ClaimRecord | undefined;
  readonly ofProvider: (providerUid: string) => Iterable<ClaimRecord>;
  /** Projects that have claims, as keys (lower case). */
  readonly projects: () => Iterable<string>;
  /** The project's claims in the order of their names; those of one name by uid. */
  readonly ofProject: (project: string) => readonly ClaimRecord[];
  readonly all: () => IterableIterator<ClaimRecord>;
  readonly size: () => number;
};

type Bucket = {
  readonly uids: Set<string>;
  /** Undefined after a claim came or went. */
  sorted: readonly string[] | undefined;
};

export const createClaimBook = (): ClaimBook => {
  const claims = new Map<string, ClaimRecord>();
  const byName = new Map<string, Set<string>>();
  const byProvider = new Map<string, Set<string>>();
  const byProject = new Map<string, Bucket>();

  const forget = (claim: ClaimRecord): void => {
    drop(byName, nameKey(claim.project, claim.claimId), claim.uid);
    for (const { uid } of claim.providers) drop(byProvider, uid, claim.uid);
    const bucket = byProject.get(keyOf(claim.project));
    bucket?.uids.delete(claim.uid);
    if (bucket?.uids.size === 0) byProject.delete(keyOf(claim.project));
    else if (bucket !== undefined) bucket.sorted = undefined;
  };
  const known = (uids: Iterable<string>): ClaimRecord[] =>
    [...uids].flatMap((uid) => claims.get(uid) ?? []);

  return {
    put: (claim) => {
      const before = claims.get(claim.uid);
      claims.set(claim.uid, claim);
      for (const { uid } of claim.providers) add(byProvider, uid, claim.uid);
      if (before !== undefined) return;
      add(byName, nameKey(claim.project, claim.claimId), claim.uid);
      const project = keyOf(claim.project);
      const bucket = byProject.get(project) ?? { uids: new Set<string>(), sorted: undefined };
      byProject.set(project, bucket);
      bucket.uids.add(claim.uid);
      bucket.sorted = undefined;
    },
    remove: (uid) => {
      const claim = claims.get(uid);
      if (claim === undefined) return;
      claims.delete(uid);
      forget(claim);
    },
    get: (uid) => claims.get(uid),
    findByName: (project, claimId) => {
      const named = known(byName.get(nameKey(project, claimId)) ?? []);
      return named.find((claim) => !isEnded(claim)) ?? newest(named);
    },
    ofProvider: (providerUid) => known(byProvider.get(providerUid) ?? []),
    projects: () => byProject.keys(),
    ofProject: (project) => {
      const bucket = byProject.get(keyOf(project));
      if (bucket === undefined) return [];
      bucket.sorted ??= known(bucket.uids)
        .toSorted(byOrder)
        .map(({ uid }) => uid);
      return known(bucket.sorted);
    },
    all: () => claims.values(),
    size: () => claims.size,
  };
};

/**
 * The order of lists, without regard to case: the keys of partition, project and claim, then the
 * uid.
 */
export const orderKey = (claim: ClaimRecord): readonly [string, string, string, string] => [
  keyOf(claim.partition),
  keyOf(claim.project),
  keyOf(claim.claimId),
  claim.uid,
];

const byOrder = (a: ClaimRecord, b: ClaimRecord): number =>
  compare(keyOf(a.claimId), keyOf(b.claimId)) || compare(a.uid, b.uid);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const nameKey = (project: string, claimId: string): string => `${keyOf(project)}/${keyOf(claimId)}`;

const newest = (claims: readonly ClaimRecord[]): ClaimRecord | undefined =>
  claims.toSorted((a, b) => b.createMs - a.createMs || compare(b.uid, a.uid))[0];

const add = (map: Map<string, Set<string>>, key: string, uid: string): void => {
  const uids = map.get(key);
  if (uids === undefined) map.set(key, new Set([uid]));
  else uids.add(uid);
};

const drop = (map: Map<string, Set<string>>, key: string, uid: string): void => {
  const uids = map.get(key);
  uids?.delete(uid);
  if (uids?.size === 0) map.delete(key);
};
