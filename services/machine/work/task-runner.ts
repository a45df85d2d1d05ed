/**
 * Runs hardware tasks: any replica takes what is due, under a lease that it extends while a step
 * lasts. Whoever lost the lease writes nothing and stops what it was doing.
 */
import { type Clock, OVER } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import {
  afterOutcome,
  type HardwareTask,
  type TaskKind,
  type TaskOutcome,
} from '../domain/hardware-task.ts';
import type { TaskLease } from '../hardware-ports.ts';
import type { Records } from '../ports.ts';

/** What a step answers, and what is written together with it. */
export type TaskStep = {
  readonly outcome: TaskOutcome;
  /** In the transaction that records the outcome. */
  readonly write?: (tx: Tx, after: HardwareTask) => Promise<void>;
};

export type TaskTurn = {
  readonly task: HardwareTask;
  /** Whether the step before was recorded by this very run: nothing else has touched it since. */
  readonly isFresh: boolean;
  readonly signal: AbortSignal;
};

/** Throws only bugs and what the store throws. */
export type TaskHandler = (turn: TaskTurn) => Promise<TaskStep>;

export type TaskCrashPoint = 'before-step' | 'before-record' | 'after-record';

export type TaskRunner = {
  /** Looks at what is due soon. */
  readonly nudge: () => void;
  /** Runs one task as far as it goes now. */
  readonly run: (uid: string, signal: AbortSignal) => Promise<void>;
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'tasks'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Unique for each start of a process. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly dueMs: number;
  readonly concurrencyMax: number;
  readonly handlers: Readonly<Record<TaskKind, TaskHandler>>;
  /** Where a kill is tried in tests. */
  readonly at?: (point: TaskCrashPoint) => void;
};

class LeaseLost extends Error {}

const STEPS_MAX = 100;
const FAULT_MS = 2_000;

export const createTaskRunner = (deps: Deps): TaskRunner => {
  let bell = Promise.withResolvers<void>();
  const running = new Set<string>();
  const nudge = () => bell.resolve();
  const run: TaskRunner['run'] = (uid, signal) => runOne(deps, uid, signal);
  const begin = (uid: string, signal: AbortSignal): Promise<void> => {
    running.add(uid);
    return run(uid, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) deps.log.warn({ err: error, task: uid }, 'hardware task stopped');
      })
      .finally(() => {
        running.delete(uid);
        nudge();
      });
  };
  return {
    nudge,
    run,
    work: async (signal) => {
      const ended: Promise<void>[] = [];
      signal.addEventListener('abort', nudge, { once: true });
      while (!signal.aborted) {
        bell = Promise.withResolvers<void>();
        try {
          const room = deps.concurrencyMax - running.size;
          const nowMs = deps.clock.now().getTime();
          const due = await deps.store.read((reader) =>
            deps.records.tasks.due(reader, nowMs, room + running.size),
          );
          for (const uid of due.filter((one) => !running.has(one)).slice(0, room)) {
            ended.push(begin(uid, signal));
          }
        } catch (error) {
          if (!signal.aborted) deps.log.warn({ err: error }, 'hardware tasks cannot be read now');
        }
        if (ended.length > 1_000) ended.splice(0, 500);
        await Promise.race([bell.promise, quiet(deps, signal)]);
      }
      await Promise.all(ended);
    },
  };
};

const quiet = (deps: Deps, signal: AbortSignal): Promise<void> =>
  deps.clock.sleep(deps.dueMs, signal).catch(() => undefined);

const actor = (uid: string) => ({ principal: 'services/machine', requestId: uid });

const runOne = async (deps: Deps, uid: string, signal: AbortSignal): Promise<void> => {
  const nowMs = deps.clock.now().getTime();
  const asked = { uid, owner: deps.owner, untilMs: nowMs + deps.leaseMs, nowMs };
  const leased = await deps.store.transaction(undefined, actor(uid), (tx) =>
    deps.records.tasks.lease(tx, asked),
  );
  if (leased === undefined) return;
  const lease = { owner: deps.owner, epoch: leased.epoch };
  const task = begun(leased.task, nowMs);
  const held = new AbortController();
  const stop = AbortSignal.any([signal, held.signal]);
  const renewing = renew(deps, { uid, lease, held });
  try {
    await steps(deps, { task, lease }, stop);
  } catch (error) {
    if (error instanceof LeaseLost) held.abort(OVER);
    if (held.signal.aborted) return;
    const wakeMs = deps.clock.now().getTime() + FAULT_MS;
    await rest(deps, { ...task, wakeMs }, lease).catch(() => undefined);
    throw error;
  } finally {
    const isLost = held.signal.aborted;
    held.abort(OVER);
    await renewing;
    if (isLost) await letGo(deps, uid);
  }
};

/** Who ended the task may wait to hear that nothing of it is at work any more. */
const letGo = (deps: Deps, uid: string): Promise<void> =>
  deps.store
    .transaction(undefined, actor(uid), (tx) =>
      deps.records.tasks.letGo(tx, { uid, owner: deps.owner }),
    )
    // He waits until it must be over.
    .catch(() => undefined);

/** The time of a step begins with its first try and not while others were before it. */
const begun = (task: HardwareTask, nowMs: number): HardwareTask =>
  task.attempt === 1 ? { ...task, stepMs: nowMs } : task;

type Held = { readonly uid: string; readonly lease: TaskLease; readonly held: AbortController };

/** Until the task ends; a lease that is lost stops the step. */
const renew = async (deps: Deps, { uid, lease, held }: Held): Promise<void> => {
  let endMs = deps.clock.monotonicMs() + deps.leaseMs;
  while (!held.signal.aborted) {
    await deps.clock.sleep(deps.leaseMs / 3, held.signal).catch(() => undefined);
    if (held.signal.aborted) return;
    const askedMs = deps.clock.monotonicMs();
    const untilMs = deps.clock.now().getTime() + deps.leaseMs;
    const isOurs = await deps.store
      .transaction(undefined, actor(uid), (tx) =>
        deps.records.tasks.extend(tx, { uid, lease, untilMs }),
      )
      .catch(() => undefined);
    if (isOurs === true) endMs = askedMs + deps.leaseMs;
    // While nobody can say whose it is, it is ours for as long as was written down.
    if (isOurs === false || deps.clock.monotonicMs() >= endMs) held.abort(OVER);
  }
};

type Running = { readonly task: HardwareTask; readonly lease: TaskLease };

const steps = async (deps: Deps, running: Running, signal: AbortSignal): Promise<void> => {
  let { task } = running;
  for (let count = 0; count < STEPS_MAX; count += 1) {
    signal.throwIfAborted();
    deps.at?.('before-step');
    const turn = { task, isFresh: count > 0, signal };
    const { outcome, write } = await deps.handlers[task.kind](turn);
    signal.throwIfAborted();
    deps.at?.('before-record');
    const nowMs = deps.clock.now().getTime();
    const after = afterOutcome(task, outcome, nowMs);
    const goesOn = outcome.kind === 'next';
    await deps.store.transaction(undefined, actor(task.uid), async (tx) => {
      const untilMs = goesOn ? nowMs + deps.leaseMs : 0;
      const saved = await deps.records.tasks.save(tx, after, { lease: running.lease, untilMs });
      if (!saved) throw new LeaseLost();
      await write?.(tx, after);
    });
    deps.at?.('after-record');
    if (!goesOn) return;
    task = after;
  }
  throw new Error(`The task ${task.uid} does not come to rest`);
};

/** The task as it was last recorded, to be tried again later; the time of its step goes on. */
const rest = async (deps: Deps, seen: HardwareTask, lease: TaskLease): Promise<void> => {
  await deps.store.transaction(undefined, actor(seen.uid), async (tx) => {
    const task = (await deps.records.tasks.find(tx, seen.uid)) ?? seen;
    const stepMs = Math.max(task.stepMs, seen.stepMs);
    const tried = { ...task, attempt: task.attempt + 1, stepMs, wakeMs: seen.wakeMs };
    await deps.records.tasks.save(tx, tried, { lease, untilMs: 0 });
  });
};
