/** Stands for the leadership of every partition, and leads those that it gets. */
import { unavailable } from '../../runtime/errors.ts';
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import { campaign } from '../../store/coordination/leadership.ts';
import type { Leadership } from '../../store/coordination/leadership-port.ts';
import type { ChoreTimes } from '../domain/chores.ts';
import { keyOf } from '../domain/claim.ts';
import { leaderKey } from '../domain/keys.ts';
import { createPartitionState } from '../domain/partition-state.ts';
import type { History, Leaders } from '../ports.ts';
import { createCollector } from './collector.ts';
import type { Follower } from './follower.ts';
import { type HousekeepingLimits, keepHouse } from './housekeeping.ts';
import { createLeader, type Leader, type LeaderLimits } from './leader.ts';
import type { ProviderDirectory } from './provider-directory.ts';
import type { TopologyDirectory } from './topology-directory.ts';

export type SeatLimits = LeaderLimits &
  ChoreTimes &
  HousekeepingLimits & {
    readonly leaseTtlMs: number;
    readonly collectPauseMs: number;
  };

export type SeatOptions = {
  readonly address: string;
  readonly follower: Follower;
  readonly providers: ProviderDirectory;
  readonly topologies: Pick<TopologyDirectory, 'of' | 'listen' | 'missing'>;
  readonly history: History;
  readonly limits: SeatLimits;
};

export type Seats = Leaders & {
  /** Stands for these partitions and no others; ids as inventory spells them. */
  readonly stand: (partitions: readonly string[]) => void;
  /** Resigns everywhere and waits for it. */
  readonly stop: () => Promise<void>;
};

type Seat = { readonly leave: AbortController; readonly ended: Promise<void> };

export const createSeats = (deps: CoordinationDeps, options: SeatOptions): Seats => {
  const seats = new Map<string, Seat>();
  const leaders = new Map<string, Leader>();
  const { address, follower, limits } = options;
  let isStopped = false;

  const sit = (partition: string): Seat => {
    const leave = new AbortController();
    const ended = campaign(deps, {
      key: leaderKey(partition),
      address,
      leaseTtlMs: limits.leaseTtlMs,
      signal: leave.signal,
      lead: (leadership) => lead(deps, options, { partition, leadership, leaders }),
    });
    return { leave, ended };
  };
  return {
    local: (partition) => leaders.get(keyOf(partition)),
    addressOf: (partition) => {
      const there = follower.partition(partition).leader?.address;
      return there === address ? undefined : there;
    },
    stand: (partitions) => {
      if (isStopped) return;
      const wanted = new Map(partitions.map((id) => [keyOf(id), id]));
      for (const [key, { leave }] of seats) {
        if (wanted.has(key)) continue;
        leave.abort();
        seats.delete(key);
      }
      for (const [key, id] of wanted) if (!seats.has(key)) seats.set(key, sit(id));
    },
    stop: async () => {
      isStopped = true;
      for (const { leave } of seats.values()) leave.abort();
      await Promise.all([...seats.values()].map(({ ended }) => ended));
      seats.clear();
    },
  };
};

type Term = {
  readonly partition: string;
  readonly leadership: Leadership;
  readonly leaders: Map<string, Leader>;
};

/** One term: the index is built from what is followed, once the own election was followed. */
const lead = async (deps: CoordinationDeps, options: SeatOptions, term: Term): Promise<void> => {
  const { follower, limits } = options;
  const { partition, leadership, leaders } = term;
  const { fence } = leadership;
  const elected = fence.target === 'createRevision' ? fence.equals : 0n;
  await follower.ring.untilRevision(elected, leadership.signal);
  const leader = assemble(deps, options, term);
  const stopListening = options.providers.listen(partition, leader.state.setFacts);
  const { setTopology } = leader.state.providers;
  const stopTopology = options.topologies.listen(partition, setTopology);
  const collector = createCollector(deps, {
    partition,
    leadership,
    history: options.history,
    claim: (uid) => follower.partition(partition).claims.get(uid),
    pauseMs: limits.collectPauseMs,
  });
  const over = new AbortController();
  const signal = AbortSignal.any([leadership.signal, over.signal]);
  leaders.set(keyOf(partition), leader);
  try {
    const tidying = keepHouse(
      deps,
      {
        leader,
        claims: () => follower.partition(partition).claims.all(),
        nowMs: leader.nowMs,
        collected: collector.collected,
        revision: follower.ring.revision,
        limits,
      },
      signal,
    );
    const collecting = collector.run(signal);
    await leader.run().finally(() => over.abort());
    await Promise.all([tidying, collecting]);
  } finally {
    over.abort();
    leaders.delete(keyOf(partition));
    stopListening();
    stopTopology();
  }
};

const assemble = (
  deps: CoordinationDeps,
  { follower, providers, topologies, limits }: SeatOptions,
  { partition, leadership }: Term,
): Leader => {
  const followed = follower.partition(partition);
  return createLeader(deps, {
    partition,
    leadership,
    head: followed.head,
    limits,
    makeState: (nowMs) => {
      const state = createPartitionState({
        partition,
        claims: followed.claims.all(),
        capacities: followed.capacities.values(),
        quotas: followed.quotas.values(),
        times: limits,
        facts: providers.all(partition),
        nowMs,
      });
      state.providers.setTopology(topologies.of(partition));
      return state;
    },
    onCommitted: follower.apply,
    revisionOf: (uid) => followed.revisions.get(uid) ?? followed.head?.revision ?? 0n,
    backlog: () => followed.log.size,
    cannotPlace: () => {
      const missing = providers.isComplete() ? topologies.missing() : 'inventory';
      return missing === undefined ? undefined : notToldYet(missing);
    },
  });
};

const notToldYet = (service: 'inventory' | 'identity') =>
  unavailable('SERVICE_UNAVAILABLE', `What claims are placed by is not known yet: ${service}`, {
    metadata: { service },
    retryAfterMs: 1000,
  });
