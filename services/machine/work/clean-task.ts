/**
 * Cleans a server after a claim that had it whole: nobody uses it any more, it is off, the hook has
 * cleaned it, and only then the scheduler may hand it on. Every failure leaves it with the ended
 * claim, out of the pool, until an operator acts.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { derivedRequestId, type Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { isControlled, type ProviderView } from '../domain/capacity.ts';
import { cleanedText } from '../domain/cleaned-text.ts';
import { type HardwareTask, type TaskFailure, tryAgain } from '../domain/hardware-task.ts';
import type { Problem } from '../domain/machine.ts';
import { demandProvisionable } from '../domain/never-provision.ts';
import { RELEASE_MS } from '../domain/provider-deadline.ts';
import { type CleaningLife, follow } from '../domain/provider-lifecycle.ts';
import type { InventoryPort, SchedulerPort } from '../neighbours-port.ts';
import type { Orders } from '../order-port.ts';
import type { Records } from '../ports.ts';
import type { CleaningHook } from './cleaning-hook.ts';
import { tellOfProvider } from './provider-story.ts';
import { failureOf } from './task-failure.ts';
import type { TaskHandler, TaskStep, TaskTurn } from './task-runner.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly orders: Pick<Orders, 'atProvider'>;
  readonly inventory: Pick<InventoryPort, 'findProvider' | 'describeProvider'>;
  readonly scheduler: Pick<SchedulerPort, 'finishRelease'>;
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: an operator says when it is clean. */
  readonly hook: CleaningHook | undefined;
};

const WORK_MS = 60_000;
const QUIET_MS = 1_000;
/** Giving back is tried for as long as the scheduler is away. */
const FINISH_MS = 30 * 24 * 3_600_000;
/** A hook whose replica died is run again, but not for ever. */
const RUNS_MAX = 3;
/** What the hook may take to begin. */
const BEGIN_MS = 10_000;

export const createCleanTask =
  (deps: Deps): TaskHandler =>
  async (turn) => {
    const { task, signal } = turn;
    const name = `partitions/${task.partition}/providers/${task.providerUid}`;
    try {
      const provider = await deps.inventory.findProvider(name, signal);
      // One that is not recorded any more is handed on to nobody.
      if (provider === undefined) return await finish(deps, turn);
      return await stepOf(deps, provider, turn);
    } catch (error) {
      if (signal.aborted) throw error;
      const nowMs = deps.clock.now().getTime();
      const isKnown = isDomainError(error);
      const limitMs = isKnown && task.step === 'finish' ? FINISH_MS : RELEASE_MS;
      const failure = failureOf(error, nowMs >= task.stepMs + limitMs);
      const outcome = tryAgain(task, failure, { nowMs, limitMs });
      return outcome.kind === 'failed' ? fails(deps, task, outcome.failure) : { outcome };
    }
  };

const stepOf = (deps: Deps, provider: ProviderView, turn: TaskTurn): Promise<TaskStep> => {
  switch (turn.task.step) {
    case 'quiet':
      return quiet(deps, turn.task);
    case 'power-off':
      return powerOff(deps, provider, turn);
    case 'hook':
      return beginHook(deps, provider, turn.task);
    case 'hook-running':
      return runHook(deps, provider, turn);
    default:
      return finish(deps, turn);
  }
};

/** Nobody's machine is on it: what is to be gone ended its access before. */
const quiet = async (deps: Deps, task: HardwareTask): Promise<TaskStep> => {
  const rows = await deps.store.read((reader) =>
    deps.records.assignments.ofProvider(reader, task.providerUid),
  );
  const living = rows.filter((row) => row.isServer && !row.absent);
  if (living.length === 0) return { outcome: { kind: 'next', step: 'power-off' } };
  const isLate = deps.clock.now().getTime() > task.stepMs + RELEASE_MS;
  const message = 'A machine is still on it';
  return isLate
    ? fails(deps, task, { reason: 'IN_USE', message })
    : { outcome: { kind: 'again', afterMs: QUIET_MS, why: message } };
};

const powerOff = async (
  { orders, ...deps }: Deps,
  provider: ProviderView,
  { task, signal }: TaskTurn,
): Promise<TaskStep> => {
  if (isControlled(provider)) {
    const ordered = {
      work: { case: 'changePower', value: { change: POWER_OFF } },
      commandId: derivedRequestId(task.uid, `power-off ${task.attempt}`),
      timeoutMs: WORK_MS,
      isSafeTwice: true,
    } as const;
    await orders.atProvider(provider, ordered, signal);
  }
  return {
    outcome: { kind: 'next', step: 'hook' },
    write: async (tx) => {
      const life = follow('releasing', 'powered_off', 'cleaning');
      await live(deps, tx, { task, life, problem: null });
    },
  };
};

const POWER_OFF = 2;

/** It is written down before it begins, so that no other replica begins it beside this one. */
const beginHook = async (
  deps: Deps,
  provider: ProviderView,
  task: HardwareTask,
): Promise<TaskStep> => {
  const { hook } = deps;
  demandProvisionable(provider);
  if (hook === undefined) return awaitOperator(deps, provider, task);
  const runs = Number(task.data.runs ?? '0') + 1;
  if (runs > RUNS_MAX) {
    const message = `Its cleaning was interrupted ${RUNS_MAX} times`;
    return fails(deps, task, { reason: 'CLEANING_FAILED', message });
  }
  const until = String(deps.clock.now().getTime() + hook.timeoutMs + BEGIN_MS + hook.endMs);
  return { outcome: { kind: 'next', step: 'hook-running', data: { runs: String(runs), until } } };
};

const awaitOperator = (deps: Deps, provider: ProviderView, task: HardwareTask): TaskStep => ({
  outcome: { kind: 'done' },
  write: (tx) =>
    tellOfProvider(deps, tx, {
      provider,
      told: {
        type: 'provider.cleaning_needed',
        severity: 'warning',
        message: `${task.data.claim} has ended; when the provider is clean, return it`,
        data: { claim: task.data.claim ?? '' },
      },
    }),
});

const runHook = async (
  deps: Deps,
  provider: ProviderView,
  { task, isFresh, signal }: TaskTurn,
): Promise<TaskStep> => {
  const { hook, clock } = deps;
  if (hook === undefined) return { outcome: { kind: 'next', step: 'hook' } };
  if (!isFresh) {
    // Whoever began it died, its guard perhaps as well.
    await hook.endLeft();
    // It may still run somewhere else: it is over by then.
    const restMs = Number(task.data.until ?? '0') - clock.now().getTime();
    const why = 'an earlier run may still be at work';
    return restMs > 0
      ? { outcome: { kind: 'again', afterMs: restMs, why } }
      : { outcome: { kind: 'next', step: 'hook' } };
  }
  const described = await deps.inventory.describeProvider(provider.name, signal);
  const claim = { name: task.data.claim ?? '', uid: task.subject };
  const body = JSON.stringify({ cleaning: task.uid, claim, ...described });
  const result = await hook.run({ id: task.uid, body }, signal);
  signal.throwIfAborted();
  if (result.kind === 'clean') return { outcome: { kind: 'next', step: 'finish' } };
  return fails(deps, task, { reason: 'CLEANING_FAILED', message: result.message });
};

const finish = async (deps: Deps, { task, signal }: TaskTurn): Promise<TaskStep> => {
  const { providerUid, subject: claimUid } = task;
  const requestId = derivedRequestId(claimUid, `finish ${providerUid}`);
  const name = task.data.claim ?? '';
  await deps.scheduler.finishRelease({ name, providerUid, requestId }, signal);
  return {
    outcome: { kind: 'done' },
    write: async (tx) => {
      const known = await deps.records.cleanings.find(tx, { claimUid, providerUid });
      const doneMs = deps.clock.now().getTime();
      if (known !== undefined) await deps.records.cleanings.save(tx, { ...known, doneMs });
      const decided = await deps.records.providers.find(tx, providerUid);
      const message = cleanedText(name, decided?.state);
      const told = { type: 'provider.cleaned', message, data: { claim: name } };
      await tellOfProvider(deps, tx, { provider: placeOf(task), told });
    },
  };
};

/** What is known of the provider whether inventory has it or not. */
const placeOf = ({ data, partition, providerUid: uid }: HardwareTask) => ({
  name: data.provider ?? '',
  partition,
  uid,
});

type Lived = {
  readonly task: HardwareTask;
  readonly life: CleaningLife;
  readonly problem: Problem | null;
};

const live = async (
  { records, clock }: Pick<Deps, 'records' | 'clock'>,
  tx: Tx,
  { task, life, problem }: Lived,
): Promise<void> => {
  const { subject: claimUid, providerUid } = task;
  const known = await records.cleanings.find(tx, { claimUid, providerUid });
  if (known === undefined) return;
  await records.cleanings.save(tx, { ...known, life, lifeMs: clock.now().getTime(), problem });
};

const fails = (deps: Deps, task: HardwareTask, failure: TaskFailure): TaskStep => ({
  outcome: { kind: 'failed', failure },
  write: async (tx) => {
    const { reason, message } = failure;
    const sinceMs = deps.clock.now().getTime();
    const problem = { reason, message, sinceMs, retryMs: null };
    await live(deps, tx, { task, life: 'clean_failed', problem });
    const place = placeOf(task);
    const id = place.name.split('/').at(-1) ?? '';
    await tellOfProvider(deps, tx, {
      provider: place,
      told: {
        type: 'provider.clean_failed',
        severity: 'error',
        message:
          `It could not be cleaned and stays out of the pool: ${message}. ` +
          `When it is mended: runm provider clean ${id}`,
        data: { reason, claim: task.data.claim ?? '' },
      },
    });
  },
});
