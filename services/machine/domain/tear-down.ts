/**
 * delete: the guest goes first, then the resources. Only an explicit absent assignment destroys.
 */
import { event } from './event.ts';
import { next } from './lifecycle.ts';
import { currentObservation, isMetal, type Machine, want } from './machine.ts';
import {
  begin,
  currentStep,
  type Failure,
  finishStep,
  type Operation,
  retry,
  type Step,
  type StepName,
  stepOf,
  succeed,
} from './operation.ts';
import { retryAtMs, tooLate } from './step-answers.ts';
import {
  agentNote,
  type CallResult,
  type Decided,
  failed,
  problem,
  record,
  type View,
} from './view.ts';

export const advanceTearDown = (view: View, nowMs: number): Decided => {
  const { operation, machine } = view;
  const step = currentStep(operation);
  if (step === undefined) return finish(view, nowMs);
  if (step.state === 'pending') return record(begin(operation, step.name, nowMs), machine);
  switch (step.name) {
    case 'revoke':
      return revoke(view, step, nowMs);
    case 'power-off':
      return powerOff(view, step, nowMs);
    case 'detach':
      return detach(view, nowMs);
    case 'destroy':
      return destroy(view, step, nowMs);
    case 'release':
      return release(view, nowMs);
    case 'finish':
      return giveBack(view, nowMs);
    default:
      throw new Error(`${operation.verb} has no step "${step.name}"`);
  }
};

const done = (operation: Operation, name: StepName, at: { nowMs: number; note: string }) =>
  finishStep(operation, name, at);

/** Consoles end and no new ones open; the agent says so before the power goes. */
const revoke = (view: View, step: Step, nowMs: number): Decided => {
  const { operation, machine } = view;
  const changed = want(machine, { access: false });
  const what = 'waiting for the agent to end the access';
  return settle(view, step, {
    nowMs,
    what,
    isWanted: machine.wanted.access === false,
    isDone: currentObservation(machine) !== null,
    say: 'nobody reaches it any more',
    ask: () =>
      record(operation, changed, {
        assignment: 'put',
        events: [
          event(nowMs, { type: 'machine.access_revoked', message: 'The access to it has ended' }),
        ],
      }),
  });
};

const powerOff = (view: View, step: Step, nowMs: number): Decided => {
  const { operation, machine } = view;
  const off = want(machine, { power: 'off', forceAfterMs: 0 });
  return settle(view, step, {
    nowMs,
    what: 'waiting for the agent to switch it off',
    isWanted: machine.wanted.power === 'off' && machine.wanted.forceAfterMs === 0,
    isDone: currentObservation(machine)?.power === 'off',
    say: 'it is off',
    ask: () => record(operation, off, { assignment: 'put' }),
  });
};

type Settling = {
  readonly nowMs: number;
  readonly what: string;
  readonly isWanted: boolean;
  readonly isDone: boolean;
  readonly say: string;
  readonly ask: () => Decided;
};

/**
 * Asks once, then waits. An agent that does not answer in time does not hold the deletion up: the
 * cleaning switches the server off before anybody else gets it, and fails where it cannot.
 */
const settle = (view: View, step: Step, asked: Settling): Decided => {
  const { operation, machine, assignment, agent, limits } = view;
  const { nowMs, what, say } = asked;
  const name = step.name;
  if (assignment === null || assignment.absent) {
    return record(done(operation, name, { nowMs, note: 'no agent has it' }), machine);
  }
  if (!asked.isWanted) return asked.ask();
  if (asked.isDone) return record(done(operation, name, { nowMs, note: say }), machine);
  const endMs = (step.startMs ?? nowMs) + limits.powerMs;
  const hindered = agentNote(agent) || machine.observed?.problem?.message || '';
  if (nowMs >= endMs) {
    const note = `not confirmed${hindered === '' ? '' : `: ${hindered}`}; its cleaning sees to it`;
    return record(done(operation, name, { nowMs, note }), machine);
  }
  const note = hindered === '' ? what : `${what}: ${hindered}`;
  return { kind: 'wait', wakeMs: endMs, step: name, note };
};

const detach = ({ operation, machine, assignment }: View, nowMs: number): Decided => {
  if (assignment === null) {
    const note = 'no agent ever had it';
    return record(done(operation, 'detach', { nowMs, note }), machine);
  }
  const note = 'the agent was told that it must not exist';
  const told = done(operation, 'detach', { nowMs, note });
  if (assignment.absent) return record(told, machine);
  // Agents take only what is newer than what they hold, and hold what powered it off.
  return record(told, want(machine, {}), { assignment: 'absent' });
};

/** The row of an absent assignment goes when the agent says that the guest is gone. */
const destroy = (view: View, step: Step, nowMs: number): Decided => {
  const { operation, machine, assignment, agent, limits } = view;
  if (assignment === null || agent?.state === 'unknown') {
    const note =
      agent?.state === 'unknown'
        ? 'no agent ever had it'
        : isMetal(machine)
          ? 'it is off and let go'
          : 'the guest is gone';
    return record(done(operation, 'destroy', { nowMs, note }), machine);
  }
  // A server goes on to its cleaning, which needs no word of the agent.
  const limitMs = isMetal(machine) ? limits.powerMs : limits.destroyMs;
  const endMs = (step.startMs ?? nowMs) + limitMs;
  const hindered = agentNote(agent) || machine.observed?.problem?.message || '';
  if (nowMs >= endMs) {
    const why = hindered === '' ? 'the agent did not report it' : hindered;
    if (isMetal(machine)) {
      const note = `not confirmed: ${why}; its cleaning sees to it`;
      const ended = done(operation, 'destroy', { nowMs, note });
      return record(ended, want(machine, {}), { assignment: 'let-go' });
    }
    return fails(view, tooLate('unavailable', 'NO_AGENT', `The guest is not gone: ${why}`), nowMs);
  }
  const what = isMetal(machine)
    ? 'waiting for the agent to let it go'
    : 'waiting for the agent to destroy the guest';
  const note = hindered === '' ? what : `${what}: ${hindered}`;
  return { kind: 'wait', wakeMs: endMs, step: 'destroy', note };
};

const release = (view: View, nowMs: number): Decided => {
  const { operation, machine } = view;
  const { holding } = machine;
  if (holding === null && !view.claimMayExist) {
    return record(done(operation, 'release', { nowMs, note: 'nothing was claimed' }), machine);
  }
  if (holding !== null && !holding.owned) {
    const note = `${holding.claim} was given and stays`;
    return record(done(operation, 'release', { nowMs, note }), machine);
  }
  return due(view, 'release', nowMs) ?? { kind: 'call', step: 'release', call: 'begin-release' };
};

const giveBack = (view: View, nowMs: number): Decided => {
  const { operation, machine } = view;
  const mayHold = machine.holding?.owned ?? view.claimMayExist;
  if (!mayHold) {
    return record(done(operation, 'finish', { nowMs, note: 'nothing to give back' }), machine);
  }
  return due(view, 'finish', nowMs) ?? { kind: 'call', step: 'finish', call: 'finish-release' };
};

/** Set while the pause after a failed try lasts, or when the time is up. */
const due = (view: View, name: StepName, nowMs: number): Decided | undefined => {
  const { operation } = view;
  const { note } = stepOf(operation, name);
  if (nowMs >= operation.deadlineMs) {
    const why = `The resources could not be given back in time: ${note}`;
    return fails(view, tooLate('deadline_exceeded', 'DEADLINE_EXCEEDED', why), nowMs);
  }
  const waits = operation.attempt > 1 && operation.wakeMs > nowMs;
  return waits ? { kind: 'wait', wakeMs: operation.wakeMs, step: name, note } : undefined;
};

export const afterRelease = (
  view: View,
  step: 'release' | 'finish',
  answer: { readonly result: CallResult; readonly nowMs: number },
): Decided => {
  const { operation, machine } = view;
  const { result, nowMs } = answer;
  switch (result.kind) {
    case 'released':
    case 'held':
      return record(done(operation, step, { nowMs, note: 'done' }), machine, {
        events: step === 'finish' || isMetal(machine) ? [releasedEvent(machine, nowMs)] : [],
      });
    case 'again': {
      const wakeMs = retryAtMs(view, result.afterMs, nowMs);
      const trouble = problem(nowMs, { reason: 'SERVICE_UNAVAILABLE', message: result.message });
      return record(retry(operation, step, { wakeMs, note: result.message }), {
        ...machine,
        problem: { ...trouble, retryMs: wakeMs },
      });
    }
    case 'failed':
      return fails(view, result.failure, nowMs);
    default:
      return result satisfies never;
  }
};

const releasedEvent = (machine: Machine, nowMs: number) => {
  if (isMetal(machine)) {
    const where = machine.holding === null ? '' : ` (${machine.holding.provider})`;
    const message = `Its server is given back and cleaned before anybody else gets it${where}`;
    return event(nowMs, { type: 'machine.released', message });
  }
  const said = 'Its resources were given back';
  const message = machine.holding === null ? said : `${said} (${machine.holding.claim})`;
  return event(nowMs, { type: 'machine.released', message });
};

const finish = ({ operation, machine }: View, nowMs: number): Decided => {
  const gone: Machine = {
    ...machine,
    state: next(machine.state, 'released'),
    stateMs: nowMs,
    problem: null,
    operationUid: null,
    readyMs: null,
  };
  return record(succeed(operation, nowMs, gone), gone, {
    events: [event(nowMs, { type: 'machine.deleted', message: 'It is deleted' })],
  });
};

const fails = ({ operation, machine }: View, failure: Failure, nowMs: number): Decided =>
  failed({ operation, nowMs }, failure, {
    machine: {
      ...machine,
      state: next(machine.state, 'release_failed'),
      stateMs: nowMs,
      problem: problem(nowMs, failure),
    },
    events: [
      event(nowMs, {
        type: 'machine.failed',
        severity: 'error',
        message: failure.message,
        data: { reason: failure.reason, verb: 'delete' },
      }),
    ],
    assignment: null,
  });
