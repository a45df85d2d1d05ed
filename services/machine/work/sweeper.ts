/**
 * What nobody else looks at, one sweeper per partition by a lease row: machines whose claim ended,
 * claims whose machine is gone, boots without an operation that are late, deletions that failed.
 * Agents of dead replicas and old rows belong to no partition: every replica may sweep them, the
 * conditions in the statements keep it safe.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { acceptVerb } from '../accept-verb.ts';
import type { ProviderView } from '../domain/capacity.ts';
import type { Machine } from '../domain/machine.ts';
import { bootIsLate } from '../domain/observe.ts';
import { type Caller, type Operation, operationName } from '../domain/operation.ts';
import { bootTimeoutMsOf } from '../domain/spec.ts';
import type { Controllers } from '../order-port.ts';
import type { MachineWriter, Records } from '../ports.ts';
import { type ClaimFollowerDeps, followClaims } from './claim-follower.ts';
import { moveStranded } from './controllers.ts';
import { findUnseen, type GuardDeps, guardProviders } from './provider-guard.ts';
import { createRebalancer } from './rebalance.ts';

export type SweeperDeps = GuardDeps &
  Omit<ClaimFollowerDeps, 'endMachine'> & {
    readonly store: SqlStore;
    readonly records: Records;
    readonly writer: MachineWriter;
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Logger;
    readonly owner: string;
    readonly sweepMs: number;
    readonly controllers: Controllers;
    readonly inPartition: (partition: string) => readonly ProviderView[];
    readonly isSynced: () => boolean;
    readonly wake: (operationUid: string) => void;
  };

const BITE = 100;
const SYSTEM: Caller = { principal: 'services/machine', onBehalfOf: '' };
const ACTOR = { principal: 'services/machine', requestId: 'sweeper' };
/** Sweeps between two rounds over the providers. */
const GUARD_ROUNDS = 10;
/** A failed deletion is tried again after this. */
const RELEASE_AGAIN_MS = 10 * 60_000;

/** Sweeps a partition while this replica holds its lease; ends with the signal. */
export const sweepPartition = async (
  deps: SweeperDeps,
  partition: string,
  signal: AbortSignal,
): Promise<void> => {
  const leaseMs = deps.sweepMs * 5;
  const guard = createGuard(deps, partition);
  const rebalance = createRebalancer(deps, partition);
  let term: AbortController | undefined;
  while (!signal.aborted) {
    try {
      const nowMs = deps.clock.now().getTime();
      const asked = { partition, owner: deps.owner, untilMs: nowMs + leaseMs, nowMs };
      const isHeld = await deps.store.transaction(undefined, ACTOR, (tx) =>
        deps.records.sweepers.hold(tx, asked),
      );
      if (!isHeld) {
        term?.abort();
        term = undefined;
      } else {
        term ??= begin(deps, partition, signal);
        await sweepOnce(deps, partition);
        await moveStranded(deps, deps.controllers, partition);
        if (deps.isSynced()) await rebalance(signal);
        await guard(signal);
      }
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error, partition }, 'partition cannot be swept');
    }
    await deps.clock.sleep(deps.sweepMs, signal).catch(() => undefined);
  }
  term?.abort();
};

/** Goes round the partition's providers, some at a time. */
const createGuard = (deps: SweeperDeps, partition: string) => {
  let afterId = 0;
  let restMs = 0;
  let unseen = 0;
  return async (signal: AbortSignal): Promise<void> => {
    if (deps.isSynced()) unseen = await findUnseen(deps, deps.inPartition(partition), unseen);
    if (deps.clock.monotonicMs() < restMs) return;
    afterId = await guardProviders(deps, { partition, afterId }, signal);
    if (afterId === 0) restMs = deps.clock.monotonicMs() + deps.sweepMs * GUARD_ROUNDS;
  };
};

/** Follows the claims for as long as the lease is held. */
const begin = (deps: SweeperDeps, partition: string, signal: AbortSignal): AbortController => {
  const term = new AbortController();
  const stop = AbortSignal.any([term.signal, signal]);
  followClaims(
    { ...deps, endMachine: (machine) => remove(deps, machine, SYSTEM, 'LEASE_ENDED') },
    {
      partition,
      signal: stop,
    },
  ).catch((error: unknown) => deps.log.error({ err: error, partition }, 'sweeper failed'));
  return term;
};

const sweepOnce = async (deps: SweeperDeps, partition: string): Promise<void> => {
  const nowMs = deps.clock.now().getTime();
  const inStates = (states: readonly Machine['state'][], beforeMs: number) =>
    deps.store.read((reader) =>
      deps.records.machines.inStates(reader, { partition, states, beforeMs, limit: BITE }),
    );
  for (const machine of await inStates(['booting', 'preparing'], nowMs - 60_000)) {
    await endLateBoot(deps, machine, nowMs);
  }
  for (const machine of await inStates(['release_failed'], nowMs - RELEASE_AGAIN_MS)) {
    const last = await deps.store.read((r) => deps.records.operations.lastOf(r, machine.uid));
    await remove(deps, machine, last?.caller ?? SYSTEM, 'RETRY');
  }
};

const endLateBoot = async (deps: SweeperDeps, seen: Machine, nowMs: number): Promise<void> => {
  const limitMs = bootTimeoutMsOf(seen.spec, seen.observed?.emulated ?? false);
  if (bootIsLate(seen, limitMs, nowMs) === undefined) return;
  await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const machine = await deps.records.machines.lock(tx, seen.uid);
    const late = machine === undefined ? undefined : bootIsLate(machine, limitMs, nowMs);
    if (late === undefined) return;
    const { events } = late;
    await deps.writer.write(tx, {
      machine: late.machine,
      events,
      assignment: null,
      principal: '',
      operation: '',
    });
  });
};

/**
 * Begins to delete a machine in somebody's name; one that is being deleted already is left alone.
 */
const remove = async (
  deps: SweeperDeps,
  seen: Machine,
  caller: Caller,
  why: string,
): Promise<void> => {
  if (seen.state === 'gone' || seen.state === 'releasing') return;
  const nowMs = deps.clock.now().getTime();
  const operation = await deps.store.transaction(
    undefined,
    ACTOR,
    async (tx): Promise<Operation | undefined> => {
      const machine = await deps.records.machines.lock(tx, seen.uid);
      if (machine === undefined || machine.state === 'gone') return undefined;
      const accepted = await acceptVerb(deps, tx, {
        machine,
        request: { verb: 'delete', nowMs },
        caller,
      });
      return accepted.kind === 'accepted' ? accepted.operation : undefined;
    },
  );
  if (operation === undefined) return;
  deps.log.info(
    { machine: seen.uid, why, operation: operationName(seen.partition, operation.uid) },
    'machine is being deleted by the system',
  );
  deps.wake(operation.uid);
};
