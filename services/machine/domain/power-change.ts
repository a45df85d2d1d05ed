/**
 * stop, shutdown, pause and resume: compare what is wanted with what is seen until they agree or
 * the time is up.
 */
import { event } from './event.ts';
import { mayFollow, next } from './lifecycle.ts';
import { currentObservation, type Machine, type Power, want } from './machine.ts';
import { begin, currentStep, type Failure, finishStep, type Step, succeed } from './operation.ts';
import { cancelled, tooLate } from './step-answers.ts';
import { agentNote, type Decided, failed, problem, record, type View } from './view.ts';

export const advancePowerChange = (view: View, nowMs: number): Decided => {
  const { operation, machine } = view;
  const step = currentStep(operation);
  if (step === undefined) throw new Error(`${operation.verb} ends with its only step`);
  if (step.state === 'pending') return record(begin(operation, step.name, nowMs), machine);
  if (isReached(view)) return reached(view, step, nowMs);
  if (operation.cancelRequested) return giveUp(view, cancelled(operation), nowMs);
  const endMs = (step.startMs ?? nowMs) + limitMsOf(view);
  const hindered = agentNote(view.agent);
  if (nowMs >= endMs) return giveUp(view, lateFailure(view, hindered), nowMs);
  const what = NOTES[operation.verb] ?? '';
  const note = hindered === '' ? what : `${what}: ${hindered}`;
  return { kind: 'wait', wakeMs: endMs, step: step.name, note };
};

const NOTES: Readonly<Record<string, string>> = {
  stop: 'waiting for the guest to power off; it is forced after its time',
  shutdown: 'waiting for the guest to power off',
  pause: 'waiting for the processors to halt',
  resume: 'waiting for the processors to run',
};

const TARGETS: Readonly<Record<string, Power>> = {
  stop: 'off',
  shutdown: 'off',
  pause: 'paused',
  resume: 'on',
};

const isReached = ({ operation, machine, assignment }: View): boolean => {
  const target = TARGETS[operation.verb];
  // Without an assignment no agent has it, so there is nothing that could be on.
  if (assignment === null || assignment.absent) return target === 'off';
  return currentObservation(machine)?.power === target;
};

const reached = ({ operation, machine }: View, step: Step, nowMs: number): Decided => {
  const done = finishStep(operation, step.name, { nowMs, note: 'done' });
  const free: Machine = { ...stateReached(machine, operation.verb, nowMs), operationUid: null };
  const said = SENTENCES[operation.verb] ?? { type: '', message: '' };
  return record(succeed(done, nowMs, free), free, { events: [event(nowMs, said)] });
};

const SENTENCES: Readonly<Record<string, { readonly type: string; readonly message: string }>> = {
  stop: { type: 'machine.stopped', message: 'It is powered off' },
  shutdown: { type: 'machine.stopped', message: 'The guest powered off' },
  pause: { type: 'machine.paused', message: 'Its processors are halted' },
  resume: { type: 'machine.resumed', message: 'Its processors run again' },
};

const stateReached = (machine: Machine, verb: string, nowMs: number): Machine => {
  const happened = verb === 'pause' ? 'pause' : verb === 'resume' ? 'resume' : 'powered_off';
  return mayFollow(machine.state, happened)
    ? { ...machine, state: next(machine.state, happened), stateMs: nowMs, problem: null }
    : machine;
};

const limitMsOf = ({ operation, machine, limits }: View): number => {
  if (operation.verb === 'shutdown') return limits.shutdownMs;
  if (operation.verb === 'stop') return (machine.wanted.forceAfterMs ?? 0) + limits.powerMs;
  return limits.powerMs;
};

const lateFailure = (view: View, hindered: string): Failure => {
  if (hindered !== '') return tooLate('unavailable', 'NO_AGENT', `Not done in time: ${hindered}`);
  const seconds = limitMsOf(view) / 1000;
  return tooLate(
    'deadline_exceeded',
    'DEADLINE_EXCEEDED',
    view.operation.verb === 'shutdown'
      ? `The guest did not power off within ${seconds} s and still runs; stop forces it`
      : `The agent did not report it done within ${seconds} s`,
  );
};

/**
 * A stop that is late stays wanted, because the agent will do it when it is back. A shutdown, a
 * pause and a resume are taken back, so that what is wanted says what the tenant sees.
 */
const giveUp = (view: View, failure: Failure, nowMs: number): Decided => {
  const { operation, machine } = view;
  const events = [
    event(nowMs, {
      type: 'machine.failed',
      severity: 'warning',
      message: failure.message,
      data: { reason: failure.reason, verb: operation.verb },
    }),
  ];
  const isCancelled = failure.reason === 'CANCELLED';
  if (operation.verb === 'stop' && !isCancelled) {
    return failed({ operation, nowMs }, failure, {
      machine: { ...machine, problem: problem(nowMs, failure) },
      events,
      assignment: null,
    });
  }
  const wasPaused = operation.verb === 'resume';
  const back = want(machine, { power: wasPaused ? 'paused' : 'on', forceAfterMs: null });
  return failed({ operation, nowMs }, failure, {
    machine: stayed(back, nowMs),
    events,
    assignment: 'put',
  });
};

const stayed = (machine: Machine, nowMs: number): Machine => {
  if (machine.state !== 'stopping') return machine;
  const booting = { ...machine, state: next('stopping', 'stayed_on'), stateMs: nowMs };
  const isReady = machine.observed?.ready === true && machine.observed.power === 'on';
  return isReady ? { ...booting, state: next(booting.state, 'ready') } : booting;
};
