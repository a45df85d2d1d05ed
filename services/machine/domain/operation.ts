/**
 * The journal: an accepted verb, its steps and what they gave. A step is recorded as running before
 * anything outside is touched and as done, with its output, before the next begins; so whoever
 * resumes knows what may have happened.
 */
import type { DomainError, ErrorKind } from '../../runtime/errors.ts';

export type Verb =
  | 'create'
  | 'start'
  | 'shutdown'
  | 'stop'
  | 'reset'
  | 'pause'
  | 'resume'
  | 'delete';

export type StepName =
  | 'claim'
  | 'assign'
  | 'boot'
  | 'ready'
  | 'power-off'
  | 'pause'
  | 'resume'
  | 'revoke'
  | 'detach'
  | 'destroy'
  | 'release'
  | 'finish';

export type StepState = 'pending' | 'running' | 'done' | 'failed';

export type Step = {
  readonly name: StepName;
  readonly state: StepState;
  readonly startMs: number | null;
  readonly endMs: number | null;
  readonly note: string;
};

/** Why an operation failed, in the form in which it is stored. */
export type Failure = {
  readonly kind: ErrorKind;
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What each step of a placement removed; null = no placement. */
  readonly removedBy: Readonly<Record<string, number>> | null;
};

/** Who asked, as accepted: inner calls are made in this name. */
export type Caller = {
  readonly principal: string;
  /**
   * Value of the header in which inner calls name him; empty = they are made in this service's own
   * name.
   */
  readonly onBehalfOf: string;
};

export type Operation = {
  readonly uid: string;
  readonly partition: string;
  readonly project: string;
  readonly verb: Verb;
  /** Resource name of the machine when it was accepted. */
  readonly target: string;
  readonly targetUid: string;
  readonly caller: Caller;
  readonly createMs: number;
  readonly endMs: number | null;
  /** When it fails by itself. */
  readonly deadlineMs: number;
  readonly steps: readonly Step[];
  readonly cancelRequested: boolean;
  /** Tries of the current step; 1 on the first. */
  readonly attempt: number;
  /** When to look again though nothing happened. */
  readonly wakeMs: number;
  readonly failure: Failure | null;
  /** The machine as it was at the end, in JSON form; null while it runs or when it failed. */
  readonly response: unknown;
};

const STEPS: Readonly<Record<Verb, readonly StepName[]>> = {
  create: ['claim', 'assign', 'boot', 'ready'],
  start: ['claim', 'assign', 'boot', 'ready'],
  reset: ['boot', 'ready'],
  stop: ['power-off'],
  shutdown: ['power-off'],
  pause: ['pause'],
  resume: ['resume'],
  delete: ['detach', 'destroy', 'release', 'finish'],
};

/**
 * Of a server: nobody reaches it any more before it goes off; and what is given back is cleaned
 * before it is free, so its deletion does not finish the release.
 */
const STEPS_OF_METAL: Readonly<Partial<Record<Verb, readonly StepName[]>>> = {
  delete: ['revoke', 'power-off', 'detach', 'destroy', 'release'],
};

const HOUR_MS = 3_600_000;

/** An operation ends by itself after this, whatever its steps wait for. */
const LIMIT_MS: Readonly<Record<Verb, number>> = {
  create: 26 * HOUR_MS,
  start: 26 * HOUR_MS,
  reset: 26 * HOUR_MS,
  stop: 2 * HOUR_MS,
  shutdown: HOUR_MS,
  pause: HOUR_MS,
  resume: HOUR_MS,
  delete: HOUR_MS,
};

type Accepted = Pick<
  Operation,
  'uid' | 'partition' | 'project' | 'verb' | 'target' | 'targetUid' | 'caller'
> & { readonly isMetal?: boolean };

export const newOperation = (
  { isMetal = false, ...accepted }: Accepted,
  nowMs: number,
): Operation => ({
  ...accepted,
  createMs: nowMs,
  endMs: null,
  deadlineMs: nowMs + LIMIT_MS[accepted.verb],
  steps: ((isMetal ? STEPS_OF_METAL[accepted.verb] : undefined) ?? STEPS[accepted.verb]).map(
    (name) => ({
      name,
      state: 'pending',
      startMs: null,
      endMs: null,
      note: '',
    }),
  ),
  cancelRequested: false,
  attempt: 1,
  wakeMs: nowMs,
  failure: null,
  response: null,
});

/** "partitions/{p}/operations/machine-{uuid}" */
export const operationName = (partition: string, uid: string): string =>
  `partitions/${partition}/operations/machine-${uid}`;

export const stepOf = (operation: Operation, name: StepName): Step => {
  const step = operation.steps.find((one) => one.name === name);
  if (step === undefined) throw new Error(`${operation.verb} has no step "${name}"`);
  return step;
};

/** The first step that is not done; undefined = all are. */
export const currentStep = (operation: Operation): Step | undefined =>
  operation.steps.find((step) => step.state !== 'done');

const change = (operation: Operation, name: StepName, patch: Partial<Step>): Operation => ({
  ...operation,
  steps: operation.steps.map((step) => (step.name === name ? { ...step, ...patch } : step)),
});

export const begin = (operation: Operation, name: StepName, nowMs: number): Operation => ({
  ...change(operation, name, { state: 'running', startMs: nowMs }),
  attempt: 1,
});

/** Marks a step done, begun or not. */
export const finishStep = (
  operation: Operation,
  name: StepName,
  at: { readonly nowMs: number; readonly note: string },
): Operation => {
  const startMs = stepOf(operation, name).startMs ?? at.nowMs;
  return {
    ...change(operation, name, { state: 'done', startMs, endMs: at.nowMs, note: at.note }),
    attempt: 1,
  };
};

export const note = (operation: Operation, name: StepName, text: string): Operation =>
  change(operation, name, { note: text });

/** A try of the current step failed and is to be repeated. */
export const retry = (
  operation: Operation,
  name: StepName,
  at: { readonly wakeMs: number; readonly note: string },
): Operation => ({
  ...note(operation, name, at.note),
  attempt: operation.attempt + 1,
  wakeMs: at.wakeMs,
});

export const succeed = (operation: Operation, nowMs: number, response: unknown): Operation => ({
  ...operation,
  endMs: nowMs,
  response,
});

export const fail = (operation: Operation, nowMs: number, failure: Failure): Operation => ({
  ...operation,
  endMs: nowMs,
  failure,
  steps: operation.steps.map((step) =>
    step.state === 'running'
      ? { ...step, state: 'failed', endMs: nowMs, note: failure.message }
      : step,
  ),
});

export const isDone = (operation: Operation): boolean => operation.endMs !== null;

export const failureOf = (error: DomainError): Failure => ({
  kind: error.kind,
  reason: error.reason,
  message: error.message,
  metadata: error.metadata,
  removedBy: error.extras.removedBy ?? null,
});
