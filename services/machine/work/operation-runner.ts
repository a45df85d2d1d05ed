/**
 * Runs one operation as far as it goes now. The runner holds a lease on the operation's row and
 * every write compares its epoch; the decision itself is domain/advance.ts. Nothing is remembered
 * between runs: whoever runs it next, here or elsewhere, reads the rows and goes on.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { afterCall, nextStep } from '../domain/advance.ts';
import { agentKey } from '../domain/capacity.ts';
import type { Machine } from '../domain/machine.ts';
import { isDone, note, type Operation, operationName, stepOf } from '../domain/operation.ts';
import type {
  Call,
  CallResult,
  Decided,
  OperationLimits,
  Recording,
  View,
} from '../domain/view.ts';
import type { Lease, MachineWriter, Records } from '../ports.ts';

/** Where a kill is tried in tests; in production nothing happens there. */
export type CrashPoint = 'before-record' | 'after-record' | 'before-call' | 'after-call';

export type RunnerDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly writer: MachineWriter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Unique for each start of a process. */
  readonly owner: string;
  readonly limits: OperationLimits;
  readonly leaseMs: number;
  /** Makes a call to the scheduler; answers as a value, never throws. */
  readonly perform: (
    asked: { readonly call: Call; readonly operation: Operation; readonly machine: Machine },
    signal: AbortSignal,
  ) => Promise<CallResult>;
  /**
   * Lower-case name of the agent that gets a new assignment on that provider; empty = none is
   * known.
   */
  readonly agentFor: (machine: Machine, signal: AbortSignal) => Promise<string>;
  readonly at?: (point: CrashPoint) => void;
};

export type OperationRunner = {
  /** Answers when there is nothing more to do now. Throws what the store throws. */
  readonly run: (uid: string, signal: AbortSignal) => Promise<void>;
};

/** Somebody else holds the operation now, or it is done. */
class LeaseLost extends Error {}
/** The machine changed since it was read: decide again. */
class Outdated extends Error {}

/** More steps than any operation has: a decision that never rests is a bug, and must not spin. */
const STEPS_MAX = 200;

export const createOperationRunner = (deps: RunnerDeps): OperationRunner => ({
  run: async (uid, signal) => {
    const nowMs = deps.clock.now().getTime();
    const untilMs = nowMs + deps.leaseMs;
    const leased = await deps.store.transaction(undefined, actor(uid), (tx) =>
      deps.records.operations.lease(tx, { uid, owner: deps.owner, untilMs, nowMs }),
    );
    if (leased === undefined) return;
    const lease = { owner: deps.owner, epoch: leased.epoch };
    try {
      await steps(deps, { operation: leased.operation, lease }, signal);
    } catch (error) {
      if (error instanceof LeaseLost) return;
      // Given back at once, so that another replica need not wait for the lease to end.
      await rest(deps, { uid, lease, wakeMs: nowMs + deps.limits.retryMs }).catch(() => undefined);
      throw error;
    }
  },
});

type Running = { operation: Operation; readonly lease: Lease };

const steps = async (deps: RunnerDeps, running: Running, signal: AbortSignal): Promise<void> => {
  for (let count = 0; count < STEPS_MAX; count += 1) {
    signal.throwIfAborted();
    const view = await look(deps, running.operation);
    if (view === undefined) throw new LeaseLost('the machine of the operation is gone');
    const decided = nextStep(view, nowMs(deps));
    if (decided.kind === 'wait') {
      await waitFor(deps, running, decided);
      return;
    }
    const recording =
      decided.kind === 'record' ? decided : await call(deps, view, { decided, signal });
    if (recording === undefined) continue;
    const written = await record(deps, { running, view, recording }, signal);
    if (written === undefined) continue;
    running.operation = written;
    if (isDone(written)) return;
  }
  throw new Error(`The operation ${running.operation.uid} does not come to rest`);
};

const nowMs = ({ clock }: RunnerDeps): number => clock.now().getTime();

const actor = (uid: string) => ({ principal: 'services/machine', requestId: uid });

/** The newest of everything. */
const look = (deps: RunnerDeps, operation: Operation): Promise<View | undefined> =>
  deps.store.read(async (reader) => {
    const { machines, assignments, agents, operations } = deps.records;
    const machine = await machines.find(reader, operation.targetUid);
    if (machine === undefined) return undefined;
    const assignment = await assignments.find(reader, machine.uid);
    const isThere = assignment !== undefined && !assignment.gone;
    const agent =
      isThere && assignment.agentKey !== ''
        ? await agents.findByKey(reader, assignment.agentKey)
        : undefined;
    const claimMayExist =
      operation.verb === 'delete' &&
      machine.holding === null &&
      (await operations.claimBegun(reader, machine.uid));
    return {
      operation,
      machine,
      assignment: isThere ? { absent: assignment.absent } : null,
      agent: isThere
        ? {
            name: assignment.agentKey === '' ? 'of its provider' : assignment.agentKey,
            state: agent?.state ?? 'unknown',
            sinceMs: agent?.sinceMs ?? 0,
            emulated: agent?.host?.accelerator === 'tcg',
          }
        : null,
      claimMayExist,
      limits: deps.limits,
    };
  });

type Calling = {
  readonly decided: Extract<Decided, { kind: 'call' }>;
  readonly signal: AbortSignal;
};

/** The call, and what to record of it by the newest rows; undefined = look again. */
const call = async (
  deps: RunnerDeps,
  view: View,
  { decided, signal }: Calling,
): Promise<Recording | undefined> => {
  const { operation, machine } = view;
  deps.at?.('before-call');
  const result = await deps.perform({ call: decided.call, operation, machine }, signal);
  deps.at?.('after-call');
  const now = await look(deps, operation);
  if (now === undefined) return undefined;
  const after = afterCall(now, { call: decided.call, result }, nowMs(deps));
  return after.kind === 'record' ? after : undefined;
};

type Writing = {
  readonly running: Running;
  readonly view: View;
  readonly recording: Recording;
};

/** One transaction under the lease. Undefined: the machine changed meanwhile, decide again. */
const record = async (
  deps: RunnerDeps,
  { running, view, recording }: Writing,
  signal: AbortSignal,
): Promise<Operation | undefined> => {
  const isNew = recording.assignment === 'put' && view.assignment === null;
  const agentKeyOfNew = isNew ? await deps.agentFor(recording.machine, signal) : undefined;
  deps.at?.('before-record');
  try {
    await deps.store.transaction(undefined, actor(running.operation.uid), (tx) =>
      write(deps, tx, { running, view, recording, ...(isNew && { agentKey: agentKeyOfNew }) }),
    );
  } catch (error) {
    if (error instanceof Outdated || isDomainError(error, 'aborted', 'BUSY')) return undefined;
    throw error;
  }
  deps.at?.('after-record');
  return recording.operation;
};

const write = async (
  deps: RunnerDeps,
  tx: Tx,
  { running, view, recording, agentKey: key }: Writing & { readonly agentKey?: string | undefined },
): Promise<void> => {
  const { operation } = recording;
  const locked = await deps.records.machines.lock(tx, view.machine.uid);
  // Locking raised the version by one; any more and somebody wrote since it was read.
  if (locked === undefined || locked.version !== view.machine.version + 1) throw new Outdated();
  const saved = await deps.records.operations.saveLeased(tx, operation, {
    lease: running.lease,
    untilMs: nowMs(deps) + deps.leaseMs,
  });
  if (!saved) throw new LeaseLost();
  await deps.writer.write(tx, {
    machine: { ...recording.machine, version: locked.version, updateMs: nowMs(deps) },
    events: recording.events,
    assignment: recording.assignment,
    ...(key !== undefined && { agentKey: agentKey(key) }),
    principal: operation.caller.principal,
    operation: operationName(operation.partition, operation.uid),
  });
};

const waitFor = async (
  deps: RunnerDeps,
  { operation, lease }: Running,
  waiting: Extract<Decided, { kind: 'wait' }>,
): Promise<void> => {
  const { step, note: text, wakeMs } = waiting;
  if (stepOf(operation, step).note !== text) {
    const noted = note(operation, step, text);
    const untilMs = nowMs(deps) + deps.leaseMs;
    await deps.store.transaction(undefined, actor(operation.uid), async (tx) => {
      const saved = await deps.records.operations.saveLeased(tx, noted, { lease, untilMs });
      if (!saved) throw new LeaseLost();
      await deps.records.operations.release(tx, { uid: operation.uid, lease, wakeMs });
    });
    return;
  }
  await rest(deps, { uid: operation.uid, lease, wakeMs });
};

const rest = async (
  deps: RunnerDeps,
  asked: { readonly uid: string; readonly lease: Lease; readonly wakeMs: number },
): Promise<void> => {
  await deps.store.transaction(undefined, actor(asked.uid), (tx) =>
    deps.records.operations.release(tx, asked),
  );
};
