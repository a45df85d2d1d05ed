import type { RunningService, ServiceDeps } from '../runtime/service.ts';
import { type Members, watchMembers } from '../store/coordination/membership.ts';
import { abortable, slept } from '../store/coordination/waiting.ts';
import { openSql } from '../store/sql/open.ts';
import { CHORE_TIMES } from './domain/chores.ts';
import { capacityRpc } from './rpc/capacity-service.ts';
import { claimRpc } from './rpc/claim-service.ts';
import type { RpcDeps } from './rpc/deps.ts';
import { quotaRpc } from './rpc/quota-service.ts';
import { createHistory } from './store/history.ts';
import { schedulerMigrations } from './store/migrations.ts';
import { createPastUses } from './store/past-uses.ts';
import { createCatalogue } from './work/catalogue.ts';
import { createFollower } from './work/follower.ts';
import { createPartitionDirectory } from './work/partition-directory.ts';
import { createProjectDirectory } from './work/project-directory.ts';
import { createProviderDirectory } from './work/provider-directory.ts';
import { createReading } from './work/reading.ts';
import { createSeats, type SeatLimits } from './work/seats.ts';
import { createTopologyDirectory } from './work/topology-directory.ts';

/** Every limit has a default; tests and small installations set some of them. */
export type SchedulerConfig = Partial<SeatLimits> & {
  /** How long a call waits for a leader; absent = 3 s. */
  readonly leaderWaitMs?: number;
  /** Changes of claims that are kept for watches that come back; absent = 20 000. */
  readonly changesMax?: number;
  /** An idle watch gets a bookmark this often; absent = 15 s. */
  readonly bookmarkMs?: number;
  /** How often partitions may move to a replica that leads fewer; absent = 30 s. */
  readonly spreadEveryMs?: number;
};

const DAY_MS = 24 * 3_600_000;

const LIMITS: SeatLimits = {
  leaseTtlMs: 5_000,
  queueMax: 4_096,
  backlogMax: 10_000,
  collectPauseMs: 10_000,
  everyMs: 60_000,
  endedRetentionMs: DAY_MS,
  compactAfterMs: 600_000,
  ...CHORE_TIMES,
};

const READY_MS = 2_000;
const SPREAD_EVERY_MS = 30_000;

/** Claims and capacity. Errors: those of openSql. */
export const createSchedulerService = async (
  deps: ServiceDeps<SchedulerConfig>,
): Promise<RunningService> => {
  const { config, clock, random, log, coordination, connect } = deps;
  const store = await openSql({
    ...deps.sql,
    service: 'scheduler',
    entities: [],
    migrations: schedulerMigrations,
    clock,
    random,
    log,
    writesInThread: true,
  });
  const following = { coordination, clock, random, log };
  const follower = createFollower(following, {
    changesMax: config.changesMax ?? 20_000,
    bookmarkMs: config.bookmarkMs ?? 15_000,
  });
  const transport = connect.transportTo('inventory');
  const identity = connect.transportTo('identity');
  const topologies = createTopologyDirectory({
    clock,
    random,
    log,
    transport,
    identity,
    turnaround: (id) => (partitions.isKnown() ? partitions.turnaround(id) : undefined),
  });
  const providers = createProviderDirectory(
    { clock, random, log, transport },
    topologies.schedulable,
    // Of the same providers coordination tells.
    (partition) => follower.partition(partition).numbers,
  );
  const seats = createSeats(following, {
    address: deps.replica.address,
    follower,
    providers,
    topologies,
    history: createHistory(store),
    limits: { ...LIMITS, ...config },
    replicas: () => replicas?.list().map((replica) => replica.address) ?? [],
  });
  const partitions = createPartitionDirectory(
    { clock, random, log, transport },
    { onIds: seats.stand, onSettings: topologies.refresh },
  );
  const rpc: RpcDeps = {
    clock,
    random,
    connect,
    reading: createReading({ clock, follower, providers, partitions }),
    leaders: seats,
    catalogue: createCatalogue({ clock, log, transport }),
    topologies,
    pastUses: createPastUses(store),
    projects: createProjectDirectory(clock, identity),
    incarnation: store.incarnation,
    cluster: deps.cluster,
    leaderWaitMs: config.leaderWaitMs ?? 3_000,
  };
  const ended = new AbortController();
  let replicas: Members | undefined;
  let work: Promise<unknown> = Promise.resolve();

  return {
    implementations: [claimRpc(rpc), capacityRpc(rpc), quotaRpc(rpc)],
    start: async (signal) => {
      const either = AbortSignal.any([signal, ended.signal]);
      work = Promise.all([
        follower.run(either),
        providers.run(either),
        partitions.run(either),
        topologies.run(either),
        standWithoutInventory(),
        spreadSeats(either),
      ]);
      replicas = watchMembers(following, {
        service: 'scheduler',
        onChange: seats.settle,
        signal: either,
      });
    },
    stop: async () => {
      // First the leaderships: resigning needs the store, and whoever is next should not wait for a
      // lease.
      await seats.stop();
      ended.abort();
      await work;
      await store.close();
    },
    ready: async () => {
      const problem = follower.problem();
      if (problem !== undefined) throw problem;
      const signal = AbortSignal.timeout(READY_MS);
      await Promise.all([coordination.ping(signal), store.ping(signal)]);
    },
  };

  /** One partition at a time, and not before the replicas have come to rest. */
  async function spreadSeats(signal: AbortSignal): Promise<void> {
    while (await slept(clock, config.spreadEveryMs ?? SPREAD_EVERY_MS, signal)) seats.spread();
  }

  /**
   * What is claimed can be given back while inventory is away: then coordination tells the
   * partitions.
   */
  async function standWithoutInventory(): Promise<void> {
    await abortable(follower.ready, ended.signal).catch(() => undefined);
    if (!partitions.isKnown() && !ended.signal.aborted) seats.stand(follower.seen());
  }
};
