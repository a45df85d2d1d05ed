/**
 * Follows coordination: lists the keys of all partitions, then watches them. Any replica answers
 * reads from it. What this replica commits as leader is put in at once, before its callers are
 * answered; the watch brings it again.
 */
import { isDomainError } from '../../runtime/errors.ts';
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import type { KeyValue, WatchBatch, WatchEvent } from '../../store/coordination/port.ts';
import { backOff, slept } from '../../store/coordination/waiting.ts';
import type { CapacityRecord } from '../domain/capacity.ts';
import { type ClaimRecord, keyOf } from '../domain/claim.ts';
import { headKey, type KeyPart, parseKey, ROOT_PREFIX } from '../domain/keys.ts';
import type { QuotaRecord } from '../domain/quota.ts';
import { decodeClaim, decodeHead, decodeQuota, type Head } from '../domain/record-format.ts';
import type { ClaimChange } from '../ports.ts';
import { type ChangeRing, createChangeRing, type RingLimits } from './change-ring.ts';
import {
  createFollowedPartition,
  type FollowedPartition,
  putCapacity,
  putClaim,
  putQuota,
  removeCapacity,
  removeClaim,
} from './followed-partition.ts';
import { listAll } from './listing.ts';

/** What a commit of this replica changed. */
export type OwnCommit = {
  readonly partition: string;
  readonly revision: bigint;
  readonly claims: readonly ClaimRecord[];
  readonly forgotten: readonly string[];
  readonly capacities: readonly CapacityRecord[];
  readonly quotas: readonly QuotaRecord[];
  readonly head: Head;
};

export type Follower = {
  readonly ring: ChangeRing;
  /** Empty while coordination has nothing of it. */
  readonly partition: (id: string) => FollowedPartition;
  /** Ids of the partitions in which something was ever committed. */
  readonly seen: () => readonly string[];
  readonly apply: (commit: OwnCommit) => void;
  /** What is on its way: when the watch brings it, it is here already and nothing is read. */
  readonly expect: (commit: Omit<OwnCommit, 'revision'>) => void;
  /** Resolves when the keys were first listed. */
  readonly ready: Promise<void>;
  /** Why it does not follow now; undefined while it does. */
  readonly problem: () => unknown;
  /** Follows until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

export const createFollower = (deps: CoordinationDeps, limits: RingLimits): Follower => {
  const { clock, log, random } = deps;
  const partitions = new Map<string, FollowedPartition>();
  const ring = createChangeRing(clock, limits);
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  let problem: unknown = new Error('The follower has not started');

  const partition = (id: string): FollowedPartition => {
    const key = keyOf(id);
    const known = partitions.get(key);
    if (known !== undefined) return known;
    const made = createFollowedPartition(key);
    partitions.set(key, made);
    return made;
  };
  const expected = new Map<FollowedPartition, Omit<OwnCommit, 'revision'>>();
  /** Before the answer came that it is written: its head says so. */
  const applyExpected = ({ revision, events }: WatchBatch): void => {
    for (const [at, commit] of expected) {
      const key = headKey(commit.partition);
      const found = events.find((event) => event.kind === 'put' && event.at.key === key);
      if (found?.kind !== 'put') continue;
      if (decodeHead(found.at.value).nonce === commit.head.nonce)
        applyOwn(at, { ...commit, revision });
    }
  };
  const onEvents = (batch: WatchBatch): void => {
    applyExpected(batch);
    const { revision, events } = batch;
    const changes = events.flatMap((event) => {
      const change = applyEvent(partition, event);
      return change === undefined ? [] : [change];
    });
    if (revision > ring.revision()) ring.add(revision, changes);
  };
  const followOnce = async (signal: AbortSignal, onListed: () => void): Promise<void> => {
    const put = (at: KeyValue): void => void applyEvent(partition, { kind: 'put', at });
    const revision = await listAll(deps, { partitions, put }, signal);
    ring.reset(revision);
    problem = undefined;
    ready.resolve();
    onListed();
    const from = revision + 1n;
    for await (const batch of deps.coordination.watch({ prefix: ROOT_PREFIX, from, signal })) {
      onEvents(batch);
    }
  };

  return {
    ring,
    partition,
    seen: () =>
      [...partitions.values()]
        .filter(({ head }) => head !== undefined)
        .map(({ key, claims }) => claims.all().next().value?.partition ?? key)
        .sort(),
    ready: ready.promise,
    problem: () => problem,
    apply: (commit) => {
      const at = partition(commit.partition);
      applyOwn(at, commit);
      expected.delete(at);
    },
    expect: (commit) => void expected.set(partition(commit.partition), commit),
    run: async (signal) => {
      signal.addEventListener('abort', () => ready.reject(signal.reason), { once: true });
      const pause = backOff(random, { firstMs: 100, mostMs: 5000 });
      while (!signal.aborted) {
        try {
          await followOnce(signal, pause.reset);
        } catch (error) {
          if (signal.aborted) return;
          problem = error;
          if (!isDomainError(error, 'out_of_range', 'COMPACTED')) {
            log.warn({ err: error }, 'claims cannot be followed, will list them again');
          }
        }
        await slept(clock, pause.nextMs(), signal);
      }
    },
  };
};

type PartitionOf = (id: string) => FollowedPartition;

/** The change of a claim that the event is; undefined for everything else. */
const applyEvent = (partition: PartitionOf, event: WatchEvent): ClaimChange | undefined => {
  const parsed = parseKey(event.kind === 'put' ? event.at.key : event.key);
  if (parsed === undefined) return undefined;
  const at = partition(parsed.partition);
  const { part } = parsed;
  const revision = event.kind === 'put' ? event.at.modRevision : event.modRevision;
  const value = event.kind === 'put' ? event.at.value : undefined;
  if (part.kind === 'log') {
    if (value === undefined) at.log.delete(part.number);
    else at.log.add(part.number);
    return undefined;
  }
  if (part.kind === 'leader') {
    at.leader = event.kind === 'put' ? leaderOf(event.at) : undefined;
    return undefined;
  }
  const before = part.kind === 'claim' ? at.claims.get(part.uid) : undefined;
  if (revision > at.ownRevision) applyRecord(at, part, { revision, value });
  if (part.kind !== 'claim') return undefined;
  const { uid } = part;
  const project = (before ?? at.claims.get(uid))?.project ?? at.forgotten.get(uid);
  at.forgotten.delete(uid);
  return { revision, partition: at.key, project, uid, deleted: value === undefined };
};

const leaderOf = ({ value, createRevision }: KeyValue) => ({
  address: Buffer.from(value).toString(),
  createRevision,
});

type Stored = { readonly revision: bigint; readonly value: Uint8Array | undefined };

const applyRecord = (
  at: FollowedPartition,
  part: Exclude<KeyPart, { readonly kind: 'leader' | 'log' }>,
  { revision, value }: Stored,
): void => {
  switch (part.kind) {
    case 'head':
      at.head = value === undefined ? undefined : { head: decodeHead(value), revision };
      return;
    case 'quota':
      // Nobody deletes one.
      if (value !== undefined) putQuota(at, decodeQuota(value));
      return;
    case 'claim':
      if (value === undefined) removeClaim(at, part.uid);
      else putClaim(at, at.shared.claim(decodeClaim(value)), revision);
      return;
    case 'capacity':
      if (value === undefined) removeCapacity(at, part.uid);
      else putCapacity(at, at.readCapacity(value));
  }
};

const applyOwn = (at: FollowedPartition, commit: OwnCommit): void => {
  const { revision } = commit;
  if (revision <= at.ownRevision) return;
  for (const claim of commit.claims) putClaim(at, claim, revision);
  for (const uid of commit.forgotten) {
    const claim = at.claims.get(uid);
    if (claim !== undefined) at.forgotten.set(uid, claim.project);
    removeClaim(at, uid);
  }
  for (const record of commit.capacities) putCapacity(at, record);
  for (const record of commit.quotas) putQuota(at, record);
  at.head = { head: commit.head, revision };
  at.ownRevision = revision;
};
