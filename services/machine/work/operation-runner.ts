/**
 * Runs one operation as far as it goes now. What it decides (domain/advance.ts) follows from the
 * rows alone and nothing is remembered between runs: whoever runs it next, here or elsewhere, reads
 * them and goes on. Each write compares that neither row has changed since. Only for a call to
 * another service the operation's row is held, so that two replicas do not make it at once.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { afterCall, nextStep } from '../domain/advance.ts';
import type { Machine } from '../domain/machine.ts';
import { isDone, note, type Operation, operationName, stepOf } from '../domain/operation.ts';
import type { Call, CallResult, Decided, OperationLimits, View } from '../domain/view.ts';
import type { Grip, SeenOperation } from '../operation-ports.ts';
import type { MachineWriter, Records } from '../ports.ts';
import { createJournal, type Entry, type Journal } from './operation-journal.ts';
import { type Folded, foldSteps } from './operation-steps.ts';
import { viewOf } from './operation-view.ts';

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
  readonly givesWay: (operationUid: string) => boolean;
  readonly at?: (point: CrashPoint) => void;
};

export type OperationRunner = {
  /** Answers when there is nothing more to do now. Throws what the store throws. */
  readonly run: (uid: string, signal: AbortSignal) => Promise<void>;
};

/** Somebody else wrote the operation, or holds it: it is his, or he wakes whoever is next. */
class Taken extends Error {}
/** The machine changed since it was read: decide again. */
class Outdated extends Error {}

/** More than any operation needs: a decision that never rests is a bug, and must not spin. */
const LOOKS_MAX = 200;

export const createOperationRunner = (deps: RunnerDeps): OperationRunner => {
  const working = { ...deps, journal: createJournal(deps) };
  return {
    run: async (uid, signal) => {
      const held: Held = { epoch: undefined };
      try {
        for (let count = 0; count < LOOKS_MAX; count += 1) {
          if (await goOn(working, { uid, held }, signal)) return;
        }
        throw new Error(`The operation ${uid} does not come to rest`);
      } catch (error) {
        if (error instanceof Taken) return;
        // Let go at once, so that another replica need not wait for the lease to end.
        await retryLater(working, uid, held).catch(() => undefined);
        throw error;
      }
    },
  };
};

type Deps = RunnerDeps & { readonly journal: Journal };

/** The epoch that the row has if nobody else wrote it; undefined = nothing is known of it. */
type Held = { epoch: number | undefined };
type Running = { readonly uid: string; readonly held: Held };

/** False: something changed meanwhile; look again. */
const goOn = async (deps: Deps, running: Running, signal: AbortSignal): Promise<boolean> => {
  signal.throwIfAborted();
  const seen = await deps.journal.look(running.uid);
  if (seen === undefined || isDone(seen.operation) || isElsewhere(deps, seen)) return true;
  running.held.epoch = seen.epoch;
  const view = await viewOf(deps, seen);
  try {
    await steps(deps, { ...running, seen, view }, signal);
    return true;
  } catch (error) {
    if (error instanceof Outdated || isDomainError(error, 'aborted', 'BUSY')) return false;
    throw error;
  }
};

const isElsewhere = (deps: Deps, { owner, leaseUntilMs }: SeenOperation): boolean =>
  owner !== null && owner !== deps.owner && leaseUntilMs >= nowMs(deps);

const nowMs = ({ clock }: RunnerDeps): number => clock.now().getTime();

type Walking = Running & { readonly seen: SeenOperation; readonly view: View };

const steps = async (deps: Deps, walking: Walking, signal: AbortSignal): Promise<void> => {
  let { view } = walking;
  let decided: Decided | undefined = nextStep(view, nowMs(deps));
  if (decided.kind === 'wait') return rest(deps, walking, decided);
  if (decided.kind === 'call') await hold(deps, walking);
  while (decided !== undefined && decided.kind !== 'wait') {
    if (decided.kind === 'call') {
      decided = await call(deps, view, { call: decided.call, signal });
    } else {
      const asked = { view, first: decided, nowMs: nowMs(deps) };
      const folded: Folded = await foldSteps(deps, asked, signal);
      await record(deps, walking, folded);
      ({ view, next: decided } = folded);
    }
  }
};

type Calling = { readonly call: Call; readonly signal: AbortSignal };

const call = async (deps: Deps, view: View, { call, signal }: Calling): Promise<Decided> => {
  const { operation, machine } = view;
  deps.at?.('before-call');
  const result = await deps.perform({ call, operation, machine }, signal);
  deps.at?.('after-call');
  return afterCall(view, { call, result }, nowMs(deps));
};

/** Errors: Taken, Outdated. */
const record = async (deps: Deps, running: Running, folded: Folded): Promise<void> => {
  const { recording, next } = folded;
  const { operation } = recording;
  const grip = gripOf(deps, running, {
    isKept: next?.kind === 'call',
    wakeMs: next?.kind === 'wait' ? next.wakeMs : operation.wakeMs,
  });
  const change = {
    machine: folded.view.machine,
    events: recording.events,
    assignment: recording.assignment,
    ...(folded.agentKey !== undefined && { agentKey: folded.agentKey }),
    principal: operation.caller.principal,
    operation: operationName(operation.partition, operation.uid),
  };
  deps.at?.('before-record');
  await write(deps, running, { uid: running.uid, grip, operation, change });
  deps.at?.('after-record');
};

/** Errors: Taken, Outdated. */
const write = async (deps: Deps, { held }: Running, entry: Entry): Promise<void> => {
  const outcome = await deps.journal.write(entry);
  if (outcome === 'taken') throw new Taken();
  if (outcome === 'outdated') throw new Outdated();
  held.epoch = entry.grip.epoch + 1;
};

type Kept = { readonly isKept: boolean; readonly wakeMs: number };

const gripOf = (deps: Deps, { held }: Running, { isKept, wakeMs }: Kept): Grip => {
  const now = nowMs(deps);
  const untilMs = isKept ? now + deps.leaseMs : 0;
  return { owner: deps.owner, epoch: held.epoch ?? 0, nowMs: now, untilMs, wakeMs };
};

const hold = async (deps: Deps, running: Walking): Promise<void> => {
  const { owner, leaseUntilMs } = running.seen;
  // As good as new: whoever accepted it here took it at once.
  if (owner === deps.owner && leaseUntilMs - nowMs(deps) > deps.leaseMs / 2) return;
  await grasp(deps, running, { isKept: true, wakeMs: 0 });
};

/** Waits without a lease: whatever happens wakes somebody, and so does the time. */
const rest = async (
  deps: Deps,
  walking: Walking,
  { step, note: text, wakeMs }: Extract<Decided, { kind: 'wait' }>,
): Promise<void> => {
  const { seen } = walking;
  const { operation } = seen;
  if (stepOf(operation, step).note === text) {
    if (seen.owner !== null || seen.wakeMs !== wakeMs) {
      await grasp(deps, walking, { isKept: false, wakeMs });
    }
    return;
  }
  const grip = gripOf(deps, walking, { isKept: false, wakeMs });
  await write(deps, walking, { uid: walking.uid, grip, operation: note(operation, step, text) });
};

const grasp = async (deps: Deps, running: Running, kept: Kept): Promise<void> => {
  await write(deps, running, { uid: running.uid, grip: gripOf(deps, running, kept) });
};

const retryLater = async (deps: Deps, uid: string, held: Held): Promise<void> => {
  if (held.epoch === undefined) return;
  const wakeMs = nowMs(deps) + deps.limits.retryMs;
  await grasp(deps, { uid, held }, { isKept: false, wakeMs });
};
