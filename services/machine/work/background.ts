/** All loops of this service, begun together and ended together. */
import { register, watchMembers } from '../../store/coordination/membership.ts';
import type { Coordination } from '../../store/coordination/port.ts';
import type { AgentHub } from '../agent-port.ts';
import type { Sink } from '../domain/sink.ts';
import { followAssignments } from './assignment-feed.ts';
import { type EventSinkDeps, workForSink } from './event-sinks.ts';
import { type HousekeepingDeps, keepHouse } from './housekeeping.ts';
import type { ImageFetcher } from './image-fetcher.ts';
import type { OperationBell } from './operation-bell.ts';
import { followChanges, sweepDue } from './operation-feed.ts';
import type { OperationQueue } from './operation-queue.ts';
import type { ProviderOpener } from './provider-opener.ts';
import type { ProviderPools } from './provider-pools.ts';
import { type SweeperDeps, sweepPartition } from './sweeper.ts';
import type { TaskRunner } from './task-runner.ts';
import type { Unreached } from './unreached.ts';

export type BackgroundDeps = Omit<HousekeepingDeps, 'replicas'> &
  Omit<SweeperDeps, 'findProvider' | 'look' | 'inPartition' | 'isSynced' | 'tasks'> & {
    readonly images: ImageFetcher;
    readonly coordination: Coordination;
    readonly hub: AgentHub;
    readonly queue: OperationQueue;
    readonly bell: OperationBell;
    readonly pools: ProviderPools;
    readonly opener: ProviderOpener;
    readonly tasks: TaskRunner;
    readonly unreached: Unreached;
    /** Ends what a former life left running here. */
    readonly endCleanings: () => Promise<void>;
    readonly dueMs: number;
    readonly memberLeaseMs: number;
    readonly sinks: readonly Sink[];
    readonly sinkTimes: Pick<EventSinkDeps, 'leaseMs' | 'idleMs' | 'backoff'>;
  };

export type Background = {
  /** Resolves when the change feed is followed; the loops go on until the signal aborts. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /** Resolves when all loops have ended. */
  readonly ended: () => Promise<void>;
};

export const createBackground = (deps: BackgroundDeps): Background => {
  const running: Promise<unknown>[] = [];
  const run = (name: string, work: Promise<unknown>): void => {
    running.push(
      work.catch((error: unknown) => deps.log.error({ err: error, loop: name }, 'loop ended')),
    );
  };
  return {
    start: async (signal) => {
      const token = await deps.store.changes.head();
      const feed = { ...deps, ring: deps.bell.ring, sweepMs: deps.dueMs };
      run('assignments', followAssignments(deps, token, signal));
      run('changes', followChanges(feed, signal));
      run('due', sweepDue(feed, signal));
      run('operations', deps.queue.work(signal));
      run('agents', deps.hub.work(signal));
      run('providers', deps.pools.work(signal));
      run('openings', deps.opener.work(signal));
      run('former cleanings', deps.endCleanings());
      run('hardware tasks', deps.tasks.work(signal));
      run('unreached controllers', deps.unreached.work(signal));
      run('images', deps.images.work(signal));
      run('partitions', sweepPartitions(deps, signal));
      for (const sink of deps.sinks) {
        run(sink.key, workForSink({ ...deps, ...deps.sinkTimes }, sink, signal));
      }
      run('members', beMember(deps, run, signal));
    },
    ended: async () => {
      // Loops may begin others while they end.
      for (let count = 0; count < running.length; ) {
        count = running.length;
        await Promise.all(running);
      }
    },
  };
};

type Run = (name: string, work: Promise<unknown>) => void;

const beMember = async (deps: BackgroundDeps, run: Run, signal: AbortSignal): Promise<void> => {
  const { coordination, clock, log, random, replica } = deps;
  const lease = { coordination, clock, log, random };
  const members = watchMembers(lease, { service: 'machine', signal });
  let isListed = false;
  members.ready.then(
    () => {
      isListed = true;
    },
    () => undefined,
  );
  const replicas = () => (isListed ? members.list().map((member) => member.id) : undefined);
  run('housekeeping', keepHouse({ ...deps, replicas }, signal));
  const { id, address } = replica;
  const leaseTtlMs = deps.memberLeaseMs;
  await register(lease, { service: 'machine', id, address, leaseTtlMs, signal });
};

/** A sweeper for each partition that has providers; the lease row decides which replica's works. */
const sweepPartitions = async (deps: BackgroundDeps, signal: AbortSignal): Promise<void> => {
  const sweeping = new Map<string, Promise<void>>();
  const { find: findProvider, inPartition, isSynced } = deps.pools;
  const { look } = deps.opener;
  const sweeper = { ...deps, findProvider, look, inPartition, isSynced };
  while (!signal.aborted) {
    for (const partition of deps.pools.partitions()) {
      const key = partition.toLowerCase();
      if (!sweeping.has(key)) sweeping.set(key, sweepPartition(sweeper, partition, signal));
    }
    await deps.clock.sleep(deps.sweepMs, signal).catch(() => undefined);
  }
  await Promise.all(sweeping.values());
};
