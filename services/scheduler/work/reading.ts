/**
 * Puts together what reads need: the followed claims, inventory's facts, the partitions that exist.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError, unavailable } from '../../runtime/errors.ts';
import { abortable, deadlineAfter } from '../../store/coordination/waiting.ts';
import { offersInForce } from '../domain/capacity.ts';
import { keyOf } from '../domain/claim.ts';
import type { PartitionView, Reading } from '../ports.ts';
import { countedIn } from './followed-partition.ts';
import type { Follower } from './follower.ts';
import type { PartitionDirectory } from './partition-directory.ts';
import type { ProviderDirectory } from './provider-directory.ts';

export type ReadingParts = {
  readonly clock: Clock;
  readonly follower: Follower;
  readonly providers: ProviderDirectory;
  readonly partitions: PartitionDirectory;
};

const READY_MS = 5_000;

export const createReading = (parts: ReadingParts): Reading => {
  const { follower, partitions } = parts;
  let isReady = false;
  follower.ready.then(
    () => {
      isReady = true;
    },
    () => undefined,
  );
  const views = new Map<string, PartitionView>();
  const viewOf = (partition: string): PartitionView => {
    const known = views.get(keyOf(partition)) ?? createView(parts, partition);
    views.set(keyOf(partition), known);
    return known;
  };
  /**
   * Claims can be read while inventory is away: then coordination tells what partitions there were.
   */
  const known = () => (partitions.isKnown() ? partitions.all() : follower.seen());
  return {
    untilReady: async (signal) => {
      if (isReady) return;
      using limit = deadlineAfter(parts.clock, READY_MS, signal);
      await abortable(follower.ready, limit.signal).catch((cause: unknown) => {
        throw unavailable('COORDINATION_UNAVAILABLE', 'Claims cannot be read yet', {
          cause,
          retryAfterMs: 1000,
        });
      });
    },
    partitions: () => known().map(viewOf),
    find: async (partition, signal) => {
      try {
        const id = await partitions.find(partition, signal);
        return id === undefined ? undefined : viewOf(id);
      } catch (error) {
        const seen = follower.seen().find((id) => keyOf(id) === keyOf(partition));
        if (seen === undefined || !isDomainError(error, 'unavailable')) throw error;
        return viewOf(seen);
      }
    },
    revision: follower.ring.revision,
    untilRevision: follower.ring.untilRevision,
    follow: follower.ring.follow,
  };
};

const createView = (
  { clock, follower, providers }: ReadingParts,
  partition: string,
): PartitionView => {
  const followed = follower.partition(partition);
  const nowMs = () => Math.max(clock.now().getTime(), followed.head?.head.atMs ?? 0);
  const facts = (uid: string) => providers.find(partition, uid);
  const offersOf = (uid: string) => offersInForce(facts(uid), followed.capacities.terms(uid));
  return {
    partition,
    claims: followed.claims,
    capacity: (uid) => followed.capacities.get(uid),
    capacityUidsFrom: followed.capacityUids.from,
    revision: () => {
      const heard = follower.ring.revision();
      if (followed.ownRevision > heard) return followed.ownRevision;
      return heard;
    },
    revisionOf: (uid) => followed.revisions.get(uid) ?? 0n,
    quota: (project) => followed.quotas.get(keyOf(project)),
    quotas: () => followed.quotas.values(),
    quotaUses: (projects) => countedIn(followed).usesOf(projects, nowMs()),
    facts,
    offersOf,
    around: {
      claimsOn: followed.claims.livingOf,
      endingOn: followed.claims.endingOf,
      offersOf,
      above: (uid) => above(uid, (one) => facts(one)?.parentUid),
      below: (uid) => below(uid, providers.partsOf),
    },
    nowMs,
  };
};

/** A chain of parents that is longer has a cycle in it, as a stream of changes may for a moment. */
const LEVELS_MAX = 64;

const above = (uid: string, parentOf: (uid: string) => string | undefined): readonly string[] => {
  const found: string[] = [];
  for (let at = parentOf(uid); at !== undefined && at !== uid; at = parentOf(at)) {
    if (found.length >= LEVELS_MAX) break;
    found.push(at);
  }
  return found;
};

const NONE: ReadonlySet<string> = new Set();

const below = (uid: string, partsOf: (uid: string) => Iterable<string>): ReadonlySet<string> => {
  const direct = [...partsOf(uid)];
  if (direct.length === 0) return NONE;
  const found = new Set(direct);
  // A set is gone along with what is added to it meanwhile.
  for (const part of found) for (const next of partsOf(part)) if (next !== uid) found.add(next);
  return found;
};
