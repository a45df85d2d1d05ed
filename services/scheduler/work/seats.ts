/** Stands for the leadership of every partition, and leads those that it gets. */
import { OVER } from '../../runtime/clock.ts';
import { unavailable } from '../../runtime/errors.ts';
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import { campaign } from '../../store/coordination/leadership.ts';
import type { Leadership } from '../../store/coordination/leadership-port.ts';
import { abortable } from '../../store/coordination/waiting.ts';
import type { ChoreTimes } from '../domain/chores.ts';
import { keyOf } from '../domain/claim.ts';
import { leaderKey } from '../domain/keys.ts';
import type { History, Leaders } from '../ports.ts';
import { createCollector } from './collector.ts';
import type { Follower } from './follower.ts';
import { type HousekeepingLimits, keepHouse } from './housekeeping.ts';
import { createLeader, type Leader, type LeaderLimits } from './leader.ts';
import type { ProviderDirectory } from './provider-directory.ts';
import { partitionToHandOver, SEATS, seatRank } from './seat-order.ts';
import type { TopologyDirectory } from './topology-directory.ts';
import { createWarmState, type WarmState } from './warm-state.ts';

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
  /** Addresses of the replicas that are alive; this one counts without being named. */
  readonly replicas: () => readonly string[];
};

export type Seats = Leaders & {
  /** Stands for these partitions and no others; ids as inventory spells them. */
  readonly stand: (partitions: readonly string[]) => void;
  /** Takes and leaves seats after replicas came or went. */
  readonly settle: () => void;
  /** Hands a partition over when this replica leads more than its share. */
  readonly spread: () => void;
  /** Resigns everywhere and waits for it. */
  readonly stop: () => Promise<void>;
};

type Seat = { readonly leave: AbortController; readonly ended: Promise<void> };

export const createSeats = (deps: CoordinationDeps, options: SeatOptions): Seats => {
  const seats = new Map<string, Seat>();
  const leaders = new Map<string, Led>();
  const { address, follower, limits } = options;
  let wanted: ReadonlyMap<string, string> = new Map();
  let isStopped = false;
  const warmUp = (partition: string) => createWarmState({ ...options, times: limits }, partition);
  const rankOf = (partition: string) => seatRank(options.replicas(), address, partition);

  const sit = (partition: string): Seat => {
    const leave = new AbortController();
    let warm = warmUp(partition);
    const ended = campaign(deps, {
      key: leaderKey(partition),
      address,
      leaseTtlMs: limits.leaseTtlMs,
      signal: leave.signal,
      // Whoever comes first for it gets it, when both are there.
      patienceMs: () => (rankOf(partition) === 0 ? 0 : STANDBY_PATIENCE_MS),
      lead: (leadership) => {
        // A former term that was left behind, because it did not end, still has its state.
        if (warm.isTaken()) warm = warmUp(partition);
        const own = warm;
        const term = { partition, leadership, leaders, warm: own };
        return lead(deps, options, term).finally(() => {
          // It holds what was decided and never committed.
          own.close();
          if (warm === own && !leave.signal.aborted) warm = warmUp(partition);
        });
      },
    }).finally(() => warm.close());
    return { leave, ended };
  };
  const settle = (): void => {
    if (isStopped) return;
    for (const [key, { leave }] of seats) {
      // Who leads goes on until he hands it over, whatever his rank.
      if (wanted.has(key) && (leaders.has(key) || rankOf(key) < SEATS)) continue;
      leave.abort(OVER);
      seats.delete(key);
    }
    for (const [key, id] of wanted) {
      if (!seats.has(key) && rankOf(key) < SEATS) seats.set(key, sit(id));
    }
  };

  return {
    local: (partition) => {
      const led = leaders.get(keyOf(partition));
      return led === undefined || led.signal().aborted ? undefined : led.leader;
    },
    addressOf: (partition) => {
      const there = follower.partition(partition).leader?.address;
      return there === address ? undefined : there;
    },
    stand: (partitions) => {
      wanted = new Map(partitions.map((id) => [keyOf(id), id]));
      settle();
    },
    settle,
    spread: () => {
      const leads = [...wanted.keys()].flatMap((partition) => {
        const leader = follower.partition(partition).leader?.address;
        return leader === undefined ? [] : [{ partition, address: leader }];
      });
      const partition = partitionToHandOver(leads, options.replicas(), address);
      if (partition === undefined) return;
      deps.log.info({ partition }, 'leadership handed over, to spread partitions');
      leaders.get(partition)?.resign();
    },
    stop: async () => {
      isStopped = true;
      for (const { leave } of seats.values()) leave.abort(OVER);
      await Promise.all([...seats.values()].map(({ ended }) => ended));
      seats.clear();
    },
  };
};

/** A standby waits so long for the first replica before it takes a free seat. */
const STANDBY_PATIENCE_MS = 300;

type Led = {
  readonly leader: Leader;
  readonly resign: () => void;
  /** Of its leadership. */
  readonly signal: () => AbortSignal;
};

type Term = {
  readonly partition: string;
  readonly leadership: Leadership;
  readonly leaders: Map<string, Led>;
  readonly warm: WarmState;
};

/** One term: begins once what is known is all there and the own election was followed. */
const lead = async (deps: CoordinationDeps, options: SeatOptions, term: Term): Promise<void> => {
  const { follower, limits } = options;
  const { partition, leadership, leaders, warm } = term;
  const { fence } = leadership;
  const elected = fence.target === 'createRevision' ? fence.equals : 0n;
  await follower.ring.untilRevision(elected, leadership.signal);
  await abortable(warm.ready, leadership.signal);
  const leader = assemble(deps, options, term);
  const collector = createCollector(deps, {
    partition,
    leadership,
    history: options.history,
    followed: () => follower.partition(partition).head?.head.number ?? 0,
    waiting: () => follower.partition(partition).log.size,
    claim: (uid) => follower.partition(partition).claims.get(uid),
    pauseMs: limits.collectPauseMs,
  });
  const over = new AbortController();
  const signal = AbortSignal.any([leadership.signal, over.signal]);
  const led: Led = {
    leader,
    resign: () => void leadership.resign(),
    signal: () => leadership.signal,
  };
  leaders.set(keyOf(partition), led);
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
    await leader.run().finally(() => over.abort(OVER));
    await Promise.all([tidying, collecting]);
  } finally {
    over.abort(OVER);
    // A term that ends late must not take the next one's place away.
    if (leaders.get(keyOf(partition)) === led) leaders.delete(keyOf(partition));
  }
};

const assemble = (
  deps: CoordinationDeps,
  { follower, providers, topologies, limits }: SeatOptions,
  { partition, leadership, warm }: Term,
): Leader => {
  const followed = follower.partition(partition);
  return createLeader(deps, {
    partition,
    leadership,
    head: followed.head,
    limits,
    makeState: warm.take,
    onCommitted: follower.apply,
    onCommitting: follower.expect,
    revisionOf: (uid) => followed.revisions.get(uid) ?? followed.head?.revision ?? 0n,
    backlog: () => followed.log.size,
    share: followed.shared.command,
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
