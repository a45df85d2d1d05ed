/**
 * A replica of the scheduler without its RPCs: it follows coordination, stands for partition "lab"
 * and leads it. For tests that look at leaders, lost answers and takeovers.
 */
import type { Clock } from '../../services/runtime/clock.ts';
import { type Random, systemRandom } from '../../services/runtime/random.ts';
import type { ProviderFacts } from '../../services/scheduler/domain/capacity.ts';
import { CHORE_TIMES } from '../../services/scheduler/domain/chores.ts';
import type { ClaimRecord } from '../../services/scheduler/domain/claim.ts';
import type { Command, LogBatch } from '../../services/scheduler/domain/command.ts';
import { NO_TOPOLOGY } from '../../services/scheduler/domain/topology.ts';
import type { Granted, History, LocalLeader } from '../../services/scheduler/ports.ts';
import { createFollower, type Follower } from '../../services/scheduler/work/follower.ts';
import type { ProviderDirectory } from '../../services/scheduler/work/provider-directory.ts';
import { createSeats, type Seats } from '../../services/scheduler/work/seats.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { silentLog } from './silent-log.ts';

export const PARTITION = 'lab';

export type Replica = {
  readonly follower: Follower;
  readonly seats: Seats;
  /** Its leader, while it leads. */
  readonly leader: () => LocalLeader | undefined;
  /** Ends everything, the leadership in an orderly way. */
  readonly stop: () => Promise<void>;
};

export type ReplicaOptions = {
  readonly coordination: Coordination;
  readonly clock: Clock;
  readonly address: string;
  readonly facts: readonly ProviderFacts[];
  readonly history?: History;
  readonly leaseTtlMs?: number;
  readonly random?: Random;
};

export const startReplica = (options: ReplicaOptions): Replica => {
  const { coordination, clock, address, facts } = options;
  const random = options.random ?? systemRandom;
  const deps = { coordination, clock, random, log: silentLog };
  const ended = new AbortController();
  const follower = createFollower(deps, { changesMax: 10_000, bookmarkMs: 1_000 });
  const seats = createSeats(deps, {
    replicas: () => [],
    address,
    follower,
    providers: directoryOf(facts),
    topologies: {
      of: () => NO_TOPOLOGY,
      listen: () => () => undefined,
      missing: () => undefined,
    },
    history: options.history ?? memoryHistory(),
    limits: {
      leaseTtlMs: options.leaseTtlMs ?? 1_000,
      queueMax: 1_000,
      backlogMax: 100_000,
      collectPauseMs: 100,
      everyMs: 60_000,
      endedRetentionMs: 3_600_000,
      compactAfterMs: 600_000,
      ...CHORE_TIMES,
    },
  });
  const following = follower.run(ended.signal);
  seats.stand([PARTITION]);
  return {
    follower,
    seats,
    leader: () => seats.local(PARTITION),
    stop: async () => {
      const resigned = seats.stop();
      await resigned;
      ended.abort();
      await following;
    },
  };
};

const directoryOf = (facts: readonly ProviderFacts[]): ProviderDirectory => ({
  find: (_, uid) => facts.find((one) => one.uid === uid),
  all: () => facts,
  partsOf: (uid) => facts.flatMap((one) => (one.parentUid === uid ? [one.uid] : [])),
  listen: () => () => undefined,
  isComplete: () => true,
  run: () => Promise.resolve(),
});

export type MemoryHistory = History & {
  readonly batches: Map<number, LogBatch>;
  readonly ended: Map<string, ClaimRecord>;
};

export const memoryHistory = (): MemoryHistory => {
  const batches = new Map<number, LogBatch>();
  const ended = new Map<string, ClaimRecord>();
  return {
    batches,
    ended,
    record: (_, added, endedBy) => {
      for (const batch of added) {
        batches.set(batch.number, batch);
        for (const claim of endedBy(batch)) ended.set(claim.uid, claim);
      }
      return Promise.resolve();
    },
    collected: () => Promise.resolve(Math.max(0, ...batches.keys())),
  };
};

/** The claim that a command grants at that leader. */
export const claimOf = async (
  leader: LocalLeader,
  command: Command,
  signal: AbortSignal,
): Promise<ClaimRecord> => {
  const granted: Granted = await leader.submit(command, signal);
  if (granted.kind !== 'claim') throw new Error('The command is about capacity');
  return granted.claim;
};
