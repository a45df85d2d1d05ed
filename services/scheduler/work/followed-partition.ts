import type { CapacityRecord } from '../domain/capacity.ts';
import { CapacityBook } from '../domain/capacity-book.ts';
import { type ClaimRecord, keyOf } from '../domain/claim.ts';
import { type ClaimBook, createClaimBook } from '../domain/claim-book.ts';
import type { FollowedChange } from '../domain/follow-change.ts';
import type { QuotaRecord } from '../domain/quota.ts';
import { createQuotaBook, type QuotaBook } from '../domain/quota-book.ts';
import type { Head } from '../domain/record-format.ts';
import { createSortedKeys, type SortedKeys } from '../domain/sorted-keys.ts';
import { UidNumbers } from '../domain/uid-map.ts';
import { type CapacityReading, createCapacityReading } from './capacity-reading.ts';
import { createSharedValues, type SharedValues } from './shared-values.ts';

/**
 * What coordination says of one partition; filled by the follower and by this replica's own
 * commits.
 */
export type FollowedPartition = {
  readonly key: string;
  /** Of providers of which anything is known here. */
  readonly numbers: UidNumbers;
  readonly claims: ClaimBook;
  /** Store revision of each claim, by uid. */
  readonly revisions: Map<string, bigint>;
  /** Projects of claims that an own commit removed, until the watch tells of it, by uid. */
  readonly forgotten: Map<string, string>;
  readonly capacities: CapacityBook;
  /** Their uids. */
  readonly capacityUids: SortedKeys;
  /** By the project's key. */
  readonly quotas: Map<string, QuotaRecord>;
  /** What is counted against them; undefined = nobody has asked since the claims were listed. */
  quotaBook: QuotaBook | undefined;
  readonly shared: SharedValues;
  readonly readCapacity: CapacityReading;
  head: { readonly head: Head; readonly revision: bigint } | undefined;
  leader: { readonly address: string; readonly createRevision: bigint } | undefined;
  /** Log entries that wait for the collector. */
  readonly log: Set<number>;
  /** Told of every change of a record, in the order in which they come. */
  readonly listeners: Set<(change: FollowedChange) => void>;
  /**
   * Everything of claims, capacities and head up to this revision is here already, from an own
   * commit.
   */
  ownRevision: bigint;
};

export const createFollowedPartition = (key: string): FollowedPartition => {
  const numbers = new UidNumbers();
  const capacities = new CapacityBook(numbers);
  const providerUid = (uid: string): string => numbers.text(uid);
  const shared = createSharedValues(providerUid);
  return {
    key,
    numbers,
    claims: createClaimBook(numbers),
    revisions: new Map(),
    forgotten: new Map(),
    capacities,
    capacityUids: createSortedKeys(() => capacities.keys()),
    quotas: new Map(),
    quotaBook: undefined,
    shared,
    readCapacity: createCapacityReading(shared, providerUid),
    head: undefined,
    leader: undefined,
    log: new Set(),
    listeners: new Set(),
    ownRevision: 0n,
  };
};

/** True while nothing of it was told. */
export const isEmpty = (at: FollowedPartition): boolean =>
  at.head === undefined &&
  at.leader === undefined &&
  at.claims.size() + at.capacities.size + at.quotas.size + at.log.size === 0;

export const putClaim = (at: FollowedPartition, claim: ClaimRecord, revision: bigint): void => {
  at.claims.put(claim);
  at.quotaBook?.count(claim.uid, claim);
  at.revisions.set(claim.uid, revision);
  tell(at, { kind: 'claim', claim });
};

export const removeClaim = (at: FollowedPartition, uid: string): void => {
  at.claims.remove(uid);
  at.quotaBook?.count(uid, undefined);
  at.revisions.delete(uid);
  tell(at, { kind: 'claim-gone', uid });
};

export const putCapacity = (at: FollowedPartition, record: CapacityRecord): void => {
  const { size } = at.capacities;
  at.capacities.put(record);
  if (at.capacities.size > size) at.capacityUids.add(record.providerUid);
  tell(at, { kind: 'capacity', record });
};

export const putQuota = (at: FollowedPartition, record: QuotaRecord): void => {
  at.quotas.set(keyOf(record.project), record);
  at.quotaBook?.put(record);
  tell(at, { kind: 'quota', quota: record });
};

export const removeQuota = (at: FollowedPartition, project: string): void => {
  at.quotas.delete(project);
  // What is counted starts over with the next question.
  at.quotaBook = undefined;
};

/**
 * What is counted, from the first question on. What has passed by the leader's time is kept as one
 * number; this replica's clock may be ahead of it.
 */
export const countedIn = (at: FollowedPartition): QuotaBook => {
  const book = at.quotaBook ?? createQuotaBook();
  book.setNow(at.head?.head.atMs ?? 0);
  if (at.quotaBook === undefined) {
    for (const claim of at.claims.all()) book.count(claim.uid, claim);
    book.load(at.quotas.values());
    at.quotaBook = book;
  }
  return book;
};

export const removeCapacity = (at: FollowedPartition, uid: string): void => {
  if (at.capacities.delete(uid)) at.capacityUids.remove(uid);
  tell(at, { kind: 'capacity-gone', uid });
};

const tell = ({ listeners }: FollowedPartition, change: FollowedChange): void => {
  for (const listener of listeners) listener(change);
};
