/**
 * What a replica knows of a partition that it may lead: kept up with what others commit, so that it
 * can decide as soon as it is elected. A leader goes on with it alone.
 */
import { nextTurn } from '../../runtime/clock.ts';
import type { CapacityRecord } from '../domain/capacity.ts';
import type { ChoreTimes } from '../domain/chores.ts';
import { createPartitionState, type PartitionState } from '../domain/partition-state.ts';
import type { Follower } from './follower.ts';
import type { ProviderDirectory } from './provider-directory.ts';
import type { TopologyDirectory } from './topology-directory.ts';

export type WarmParts = {
  readonly follower: Pick<Follower, 'partition' | 'ready'>;
  readonly providers: Pick<ProviderDirectory, 'all' | 'listen'>;
  readonly topologies: Pick<TopologyDirectory, 'of' | 'listen'>;
  readonly times: ChoreTimes;
};

export type WarmState = {
  /** Resolves once everything that was known at the beginning is in; with `close` too. */
  readonly ready: Promise<void>;
  /** The state, which nobody but the caller changes from now on, but for what inventory tells. */
  readonly take: (nowMs: number) => PartitionState;
  readonly isTaken: () => boolean;
  readonly close: () => void;
};

/** Records that are taken in before others have their turn. */
const RECORDS_AT_ONCE = 2_000;

export const createWarmState = (parts: WarmParts, partition: string): WarmState => {
  const { follower, providers, topologies, times } = parts;
  const followed = follower.partition(partition);
  const committedMs = () => followed.head?.head.atMs ?? 0;
  const state = createPartitionState({
    partition,
    claims: [],
    capacities: [],
    facts: [],
    nowMs: undefined,
    times,
    numbers: followed.numbers,
  });
  let isTaken = false;
  const over = Promise.withResolvers<void>();
  let isOver = false;
  const listener = (change: Parameters<PartitionState['follow']>[0]): void =>
    state.follow(change, committedMs());
  const stops: (() => void)[] = [() => void followed.listeners.delete(listener)];
  const listen = (): void => {
    state.providers.setTopology(topologies.of(partition));
    followed.listeners.add(listener);
    stops.push(
      providers.listen(partition, state.setFacts),
      topologies.listen(partition, state.providers.setTopology),
    );
  };

  const takeCapacity = (record: CapacityRecord): void =>
    state.follow({ kind: 'capacity', record }, committedMs());

  /** What changes meanwhile comes by the listeners; taking a record in twice does no harm. */
  const fill = async (): Promise<void> => {
    // Before everything is listed the leader's time is not known, by which claims are booked.
    await Promise.race([follower.ready, over.promise]);
    if (isOver) return;
    listen();
    await inTurns(followed.quotas.values(), (quota) =>
      state.follow({ kind: 'quota', quota }, committedMs()),
    );
    await inTurns(followed.claims.all(), (claim) =>
      state.follow({ kind: 'claim', claim }, committedMs()),
    );
    // Last, as only what inventory has told of is put among what offers and holds the same. All of
    // a provider at once, so that it is found once.
    let opened = 0;
    await inTurns(providers.all(partition), (facts) => {
      const record = followed.capacities.get(facts.uid);
      if (record !== undefined) takeCapacity(record);
      if (record !== undefined) opened += 1;
      state.setFacts(facts.uid, facts);
    });
    if (opened < followed.capacities.size) {
      await inTurns(followed.capacities.values(), takeCapacity);
    }
  };
  const inTurns = async <T>(records: Iterable<T>, takeIn: (record: T) => void): Promise<void> => {
    let count = 0;
    for (const record of records) {
      if (isOver) return;
      takeIn(record);
      count += 1;
      if (count % RECORDS_AT_ONCE === 0) await nextTurn();
    }
  };

  const ready = fill();
  // Whoever is elected learns of it; until then nobody waits.
  ready.catch(() => undefined);
  return {
    ready,
    isTaken: () => isTaken,
    take: (nowMs) => {
      isTaken = true;
      followed.listeners.delete(listener);
      state.awaken(nowMs);
      return state;
    },
    close: () => {
      isOver = true;
      over.resolve();
      for (const stop of stops) stop();
    },
  };
};
