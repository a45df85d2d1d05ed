/**
 * create, start and reset: resources, assignment, boot, ready. A step that finds its work done (a
 * claim that is held from an earlier try) only says so; thus start from PREPARE_FAILED and create
 * are the same plan.
 */
import { event } from './event.ts';
import { type LifecycleEvent, mayFollow, next } from './lifecycle.ts';
import { currentObservation, type Machine, type Observed, type Problem, want } from './machine.ts';
import {
  begin,
  currentStep,
  type Failure,
  finishStep,
  type Operation,
  retry,
  type Step,
  succeed,
} from './operation.ts';
import { bootTimeoutMsOf } from './spec.ts';
import { cancelled, retryAtMs } from './step-answers.ts';
import {
  agentNote,
  type CallResult,
  type Decided,
  failed,
  problem,
  record,
  type View,
} from './view.ts';

export const advanceBringUp = (view: View, nowMs: number): Decided => {
  const { operation, machine } = view;
  if (operation.cancelRequested) return cancel(view, nowMs);
  const step = currentStep(operation);
  if (step === undefined) return finish(view, nowMs);
  if (step.state === 'pending') return record(begin(operation, step.name, nowMs), machine);
  switch (step.name) {
    case 'claim':
      return claim(view, nowMs);
    case 'assign':
      return assign(view, nowMs);
    case 'boot':
      return boot(view, step, nowMs);
    case 'ready':
      return ready(view, step, nowMs);
    default:
      throw new Error(`${operation.verb} has no step "${step.name}"`);
  }
};

const claim = ({ operation, machine }: View, nowMs: number): Decided => {
  if (machine.holding !== null) {
    const note = `held: ${machine.holding.claim}`;
    return record(
      finishStep(operation, 'claim', { nowMs, note }),
      moved(machine, 'claimed', nowMs),
    );
  }
  if (operation.attempt > 1 && operation.wakeMs > nowMs) {
    const note = operation.steps.find((step) => step.name === 'claim')?.note ?? '';
    return { kind: 'wait', wakeMs: operation.wakeMs, step: 'claim', note };
  }
  return { kind: 'call', step: 'claim', call: 'acquire' };
};

/** What the scheduler's answer means. */
export const afterAcquire = (view: View, result: CallResult, nowMs: number): Decided => {
  const { operation, machine } = view;
  switch (result.kind) {
    case 'held': {
      const { holding } = result;
      const note = `${holding.claim} on ${holding.provider}`;
      const done = finishStep(operation, 'claim', { nowMs, note });
      return record(
        // The next one needs no record of its own: it calls nobody.
        begin(done, 'assign', nowMs),
        { ...moved(machine, 'claimed', nowMs), holding },
        {
          events: [
            event(nowMs, {
              type: 'machine.claimed',
              message: `Resources are held on ${holding.provider} by ${holding.claim}`,
              data: { claim: holding.claim, provider: holding.provider },
            }),
          ],
        },
      );
    }
    case 'again': {
      const wakeMs = retryAtMs(view, result.afterMs, nowMs);
      return record(retry(operation, 'claim', { wakeMs, note: result.message }), machine);
    }
    case 'failed':
      return fails(view, { event: 'prepare_failed', failure: result.failure }, nowMs);
    case 'released':
      throw new Error('The scheduler answered a claim with a release');
    default:
      return result satisfies never;
  }
};

const assign = ({ operation, machine }: View, nowMs: number): Decided => {
  const provider = machine.holding?.provider ?? '';
  const done = finishStep(operation, 'assign', { nowMs, note: `to the agents of ${provider}` });
  return record(begin(done, 'boot', nowMs), moved(machine, 'claimed', nowMs), {
    assignment: 'put',
    events: [
      event(nowMs, {
        type: 'machine.assigned',
        message: `The agents of ${provider} were told to boot it`,
        data: { provider, generation: String(machine.generation) },
      }),
    ],
  });
};

const boot = (view: View, step: Step, nowMs: number): Decided => {
  const { operation, machine } = view;
  const seen = currentObservation(machine);
  const hopeless = unrepairable(view, { seen, step, nowMs });
  if (hopeless !== undefined) return fails(view, hopeless, nowMs);
  if (seen !== null && isBooted(machine, seen)) {
    const done = finishStep(operation, 'boot', { nowMs, note: 'powered on' });
    // The time for the boot goes on from where it began, so a slow start leaves less for the guest.
    return record(begin(done, 'ready', step.startMs ?? nowMs), moved(machine, 'powered_on', nowMs));
  }
  return waitFor(view, step, { nowMs, what: 'waiting for the agent to power it on' });
};

const ready = (view: View, step: Step, nowMs: number): Decided => {
  const { operation, machine } = view;
  const seen = currentObservation(machine);
  if (seen !== null && isBooted(machine, seen) && seen.ready) {
    const done = finishStep(operation, 'ready', { nowMs, note: readyNote(machine) });
    return record(done, {
      ...moved(machine, 'ready', nowMs),
      readyMs: nowMs,
      problem: null,
    });
  }
  const hopeless = unrepairable(view, { seen, step, nowMs });
  if (hopeless !== undefined) return fails(view, hopeless, nowMs);
  return waitFor(view, step, { nowMs, what: `waiting until ${readyNote(machine)}` });
};

const finish = ({ operation, machine }: View, nowMs: number): Decided => {
  const free = { ...machine, operationUid: null };
  return record(succeed(operation, nowMs, free), free, {
    events: [
      event(nowMs, {
        type: 'machine.active',
        message: `It is active: ${readyNote(machine)}`,
        data: { boot_id: machine.observed?.boot?.bootId ?? '' },
      }),
    ],
  });
};

const isBooted = (machine: Machine, seen: Observed): boolean =>
  seen.power === 'on' && seen.bootGeneration >= machine.wanted.bootGeneration;

const readyNote = (machine: Machine): string => {
  const { readyWhen } = machine.resolved;
  switch (readyWhen.kind) {
    case 'phone_home':
      return 'the guest phoned home';
    case 'running':
      return 'it is powered on';
    case 'tcp_port':
      return `port ${readyWhen.port} of the guest accepts connections`;
    case 'console_text':
      return `the console says "${readyWhen.text}"`;
    default:
      return readyWhen satisfies never;
  }
};

type Hopeless = {
  readonly event: 'prepare_failed' | 'boot_failed';
  readonly failure: Failure;
  readonly isOff?: boolean;
};

/** What no repetition mends. */
const FINAL: ReadonlySet<string> = new Set(['CHECKSUM_MISMATCH', 'IMAGE_INVALID']);
/** Reasons that concern files, before anything is powered on. */
const OF_FILES: ReadonlySet<string> = new Set([...FINAL, 'STORE_FULL', 'NOT_FOUND']);

type Looked = { readonly seen: Observed | null; readonly step: Step; readonly nowMs: number };

/** What waiting cannot mend: the guest is off again, or the agent's problem is final or lasts. */
const unrepairable = (
  { machine, limits }: View,
  { seen, step, nowMs }: Looked,
): Hopeless | undefined => {
  if (seen === null) return undefined;
  const isThisBoot = seen.bootGeneration >= machine.wanted.bootGeneration;
  if (isThisBoot && seen.guestOff) {
    const message = 'The guest powered itself off before it was ready; its console log may say why';
    return { event: 'boot_failed', failure: failure('START_FAILED', message), isOff: true };
  }
  if (seen.problem === null || seen.problem.retryMs !== null) return undefined;
  const { reason, message } = seen.problem;
  const lasts = nowMs >= (step.startMs ?? nowMs) + limits.problemMs;
  if (!lasts && !FINAL.has(reason)) return undefined;
  const isEarly = OF_FILES.has(reason) && mayFollow(machine.state, 'prepare_failed');
  return {
    event: isEarly ? 'prepare_failed' : 'boot_failed',
    failure: failure(reason, message),
  };
};

const failure = (reason: string, message: string): Failure => ({
  kind: 'failed_precondition',
  reason,
  message,
  metadata: {},
  removedBy: null,
});

const fails = (view: View, hopeless: Hopeless, nowMs: number): Decided => {
  const { operation, machine } = view;
  // What the guest did itself is what is wanted from now on, else the agent would boot it for ever.
  const wanting = hopeless.isOff === true ? want(machine, { power: 'off' }) : machine;
  return failed({ operation, nowMs }, hopeless.failure, {
    machine: {
      ...moved(wanting, hopeless.event, nowMs),
      problem: problem(nowMs, hopeless.failure),
    },
    events: [
      event(nowMs, {
        type: 'machine.failed',
        severity: 'error',
        message: hopeless.failure.message,
        data: { reason: hopeless.failure.reason },
      }),
    ],
    assignment: hopeless.isOff === true ? 'put' : null,
  });
};

const waitFor = (
  view: View,
  step: Step,
  { nowMs, what }: { readonly nowMs: number; readonly what: string },
): Decided => {
  const { machine, agent } = view;
  const emulated = machine.observed?.emulated ?? agent?.emulated ?? false;
  const limitMs = bootTimeoutMsOf(machine.spec, emulated);
  const endMs = (step.startMs ?? nowMs) + limitMs;
  const hindered = agentNote(agent) || problemNote(machine.observed?.problem ?? null);
  if (nowMs >= endMs) {
    const why = hindered === '' ? '' : `: ${hindered}`;
    return fails(
      view,
      {
        event: 'boot_failed',
        failure: {
          kind: 'deadline_exceeded',
          reason: 'NOT_READY_IN_TIME',
          message: `It was not ready within ${limitMs / 1000} s (${what})${why}`,
          metadata: { limit_s: String(limitMs / 1000) },
          removedBy: null,
        },
      },
      nowMs,
    );
  }
  const note = hindered === '' ? what : `${what}: ${hindered}`;
  const hasProblem = machine.observed?.problem != null;
  const patientMs = (step.startMs ?? nowMs) + view.limits.problemMs;
  const wakeMs = hasProblem && patientMs > nowMs ? Math.min(endMs, patientMs) : endMs;
  return { kind: 'wait', wakeMs, step: step.name, note };
};

const problemNote = (found: Problem | null): string => (found === null ? '' : found.message);

/** Ends early. What was claimed stays claimed: start continues with it, delete gives it back. */
const cancel = (view: View, nowMs: number): Decided => {
  const { machine, assignment } = view;
  const failure = cancelled(view.operation);
  const isAssigned = assignment !== null && !assignment.absent;
  const events = [event(nowMs, { type: 'machine.cancelled', message: failure.message })];
  if (!isAssigned) {
    const state = moved(machine, 'prepare_failed', nowMs);
    return failed({ operation: view.operation, nowMs }, failure, {
      machine: { ...state, problem: problem(nowMs, failure) },
      events,
      assignment: null,
    });
  }
  const off = want(machine, { power: 'off', forceAfterMs: 0 });
  return failed({ operation: view.operation, nowMs }, failure, {
    machine: moved(off, 'stop', nowMs),
    events,
    assignment: 'put',
  });
};

/** The machine in the state after the event; where the event says nothing new, as it was. */
const moved = (machine: Machine, happened: LifecycleEvent, nowMs: number): Machine =>
  mayFollow(machine.state, happened)
    ? { ...machine, state: next(machine.state, happened), stateMs: nowMs }
    : machine;

export type { Operation };
