/**
 * What nobody else looks at, one sweeper per partition by a lease row: machines whose claim ended,
 * claims whose machine is gone, boots without an operation that are late, deletions that failed.
 * Agents of dead replicas and old rows belong to no partition: every replica may sweep them, the
 * conditions in the statements keep it safe.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { derivedRequestId, type Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { acceptVerb } from '../accept-verb.ts';
import { type ClaimView, CONSUMER_TYPE, judgeClaim } from '../domain/claim.ts';
import type { Machine } from '../domain/machine.ts';
import { bootIsLate } from '../domain/observe.ts';
import { type Caller, type Operation, operationName } from '../domain/operation.ts';
import { bootTimeoutMsOf } from '../domain/spec.ts';
import type { SchedulerPort } from '../neighbours-port.ts';
import type { MachineWriter, Records } from '../ports.ts';

export type SweeperDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly writer: MachineWriter;
  readonly scheduler: SchedulerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly owner: string;
  readonly sweepMs: number;
  readonly wake: (operationUid: string) => void;
};

const BITE = 100;
const SYSTEM: Caller = { principal: 'services/machine', onBehalfOf: '' };
const ACTOR = { principal: 'services/machine', requestId: 'sweeper' };
/** A failed deletion is tried again after this. */
const RELEASE_AGAIN_MS = 10 * 60_000;

/** Sweeps a partition while this replica holds its lease; ends with the signal. */
export const sweepPartition = async (
  deps: SweeperDeps,
  partition: string,
  signal: AbortSignal,
): Promise<void> => {
  const leaseMs = deps.sweepMs * 5;
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
      }
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error, partition }, 'partition cannot be swept');
    }
    await deps.clock.sleep(deps.sweepMs, signal).catch(() => undefined);
  }
  term?.abort();
};

/** Watches the claims for as long as the lease is held. */
const begin = (deps: SweeperDeps, partition: string, signal: AbortSignal): AbortController => {
  const term = new AbortController();
  const stop = AbortSignal.any([term.signal, signal]);
  const watch = async () => {
    while (!stop.aborted) {
      try {
        for await (const claim of deps.scheduler.watchClaims(partition, stop)) {
          await judge(deps, claim, stop);
        }
      } catch (error) {
        if (!stop.aborted) deps.log.warn({ err: error, partition }, 'claims cannot be followed');
      }
      await deps.clock.sleep(deps.sweepMs * 2, stop).catch(() => undefined);
    }
  };
  watch().catch((error: unknown) => deps.log.error({ err: error, partition }, 'sweeper failed'));
  return term;
};

const judge = async (deps: SweeperDeps, claim: ClaimView, signal: AbortSignal): Promise<void> => {
  const isMachines = claim.consumerType === CONSUMER_TYPE || claim.consumerType === '';
  if (!isMachines) return;
  const machines = await machinesOf(deps, claim);
  const verdict = judgeClaim(claim, machines, deps.clock.now().getTime());
  switch (verdict.kind) {
    case 'leave':
      return;
    case 'delete-machines':
      for (const machine of machines) await remove(deps, machine, SYSTEM, 'LEASE_ENDED');
      return;
    case 'release':
      await deps.scheduler.beginRelease(claim.name, derivedRequestId(claim.uid, 'release'), signal);
      return;
    case 'finish':
      for (const providerUid of verdict.providerUids) {
        const requestId = derivedRequestId(claim.uid, `finish ${providerUid}`);
        await deps.scheduler.finishRelease({ name: claim.name, providerUid, requestId }, signal);
      }
      return;
    default:
      verdict satisfies never;
  }
};

const machinesOf = (deps: SweeperDeps, claim: ClaimView): Promise<readonly Machine[]> =>
  deps.store.read(async (reader) => {
    const holding = await deps.records.machines.ofClaim(reader, claim.uid);
    const consumer =
      claim.consumerUid === ''
        ? undefined
        : await deps.records.machines.find(reader, claim.consumerUid);
    const others = holding.filter((machine) => machine.uid !== consumer?.uid);
    return consumer === undefined ? others : [...others, consumer];
  });

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
