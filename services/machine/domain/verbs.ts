/**
 * What a verb of a caller does to a machine: it sets what is wanted and begins an operation; the
 * operation compares with what is seen. Pure, so that the handler runs it inside its transaction on
 * the locked row.
 */
import { aborted, failedPrecondition } from '../../runtime/errors.ts';
import { allowedStates, type LifecycleEvent, mayFollow, next } from './lifecycle.ts';
import { isMetal, type Machine, machineName, type Wanted, want } from './machine.ts';
import type { Operation, Verb } from './operation.ts';
import { operationName } from './operation.ts';
import { preempts } from './preemption.ts';

export type VerbOnMachine = Exclude<Verb, 'create'>;

export type VerbRequest = {
  readonly verb: VerbOnMachine;
  /** Only for stop; absent = 30 s. */
  readonly forceAfterMs?: number;
  readonly nowMs: number;
};

export type Decision =
  | { readonly kind: 'already' }
  /** The same is being done; its operation is the answer. */
  | { readonly kind: 'running'; readonly operation: Operation }
  | {
      readonly kind: 'accepted';
      readonly machine: Machine;
      readonly preempted: Operation | undefined;
    };

const FORCE_AFTER_MS = 30_000;

const EVENT: Readonly<Record<VerbOnMachine, LifecycleEvent>> = {
  start: 'start',
  shutdown: 'stop',
  stop: 'stop',
  reset: 'reset',
  pause: 'pause',
  resume: 'resume',
  delete: 'delete',
};

/**
 * Errors: aborted BUSY, failed_precondition INVALID_STATE with the allowed states. `running` is the
 * machine's operation in progress.
 */
export const decide = (
  machine: Machine,
  running: Operation | undefined,
  request: VerbRequest,
): Decision => {
  const { verb } = request;
  if (isMetal(machine) && (verb === 'pause' || verb === 'resume')) throw notOfMetal(machine, verb);
  if (running !== undefined && verb === 'delete' && running.verb === 'delete') {
    return { kind: 'running', operation: running };
  }
  if (running !== undefined && !preempts(verb, running.verb)) throw busy(machine, verb, running);
  if (running === undefined && isAlready(verb, machine)) return { kind: 'already' };
  if (!mayFollow(machine.state, EVENT[verb])) throw wrongState(machine, verb);
  return { kind: 'accepted', machine: accepted(machine, request), preempted: running };
};

const isAlready = (verb: VerbOnMachine, machine: Machine): boolean => {
  const { state } = machine;
  switch (verb) {
    case 'start':
      return state === 'active' || (state === 'booting' && machine.wanted.power === 'on');
    case 'stop':
    case 'shutdown':
      return state === 'stopped';
    case 'pause':
      return state === 'paused';
    case 'resume':
      return state === 'active';
    case 'reset':
    case 'delete':
      return false;
    default:
      return verb satisfies never;
  }
};

const wantedBy = (machine: Machine, request: VerbRequest): Partial<Wanted> => {
  const anew = { power: 'on', bootGeneration: machine.wanted.bootGeneration + 1 } as const;
  switch (request.verb) {
    case 'start':
    case 'reset':
      return { ...anew, forceAfterMs: null };
    case 'shutdown':
      return { power: 'off', forceAfterMs: null };
    case 'stop':
      return { power: 'off', forceAfterMs: request.forceAfterMs ?? FORCE_AFTER_MS };
    case 'pause':
      return { power: 'paused' };
    case 'resume':
      return { power: 'on' };
    case 'delete':
      // Of a server the access ends first, as a step of its own; the power goes after it.
      return isMetal(machine) ? {} : { power: 'off', forceAfterMs: 0 };
    default:
      return request.verb satisfies never;
  }
};

const accepted = (machine: Machine, request: VerbRequest): Machine => {
  const { verb, nowMs } = request;
  const wanting = want(machine, wantedBy(machine, request));
  const boots = verb === 'start' || verb === 'reset';
  // Pausing is so short that it has no state of its own: the machine stays what it is until it is
  // seen paused.
  const keepsState = verb === 'pause' || verb === 'resume';
  return {
    ...wanting,
    problem: null,
    ...(boots && { readyMs: null }),
    ...(verb === 'delete' && { deleteMs: machine.deleteMs ?? nowMs }),
    ...(!keepsState && { state: next(machine.state, EVENT[verb]), stateMs: nowMs }),
  };
};

const busy = (machine: Machine, verb: Verb, running: Operation) =>
  aborted(
    'BUSY',
    `Cannot ${verb} "${machineName(machine)}": its operation "${running.verb}" is in progress; ` +
      `wait for ${operationName(running.partition, running.uid)} or cancel it`,
    {
      metadata: {
        name: machineName(machine),
        operation: operationName(running.partition, running.uid),
        verb: running.verb,
      },
    },
  );

const notOfMetal = (machine: Machine, verb: Verb) =>
  failedPrecondition(
    'INVALID_STATE',
    `Cannot ${verb} "${machineName(machine)}": it is a whole server, whose processors cannot be ` +
      'halted; stop it instead',
    {
      invalidState: { state: machine.state.toUpperCase(), allowed: [] },
      metadata: { name: machineName(machine), state: machine.state.toUpperCase() },
    },
  );

const wrongState = (machine: Machine, verb: VerbOnMachine) => {
  const state = machine.state.toUpperCase();
  const allowed = allowedStates(EVENT[verb]).map((one) => one.toUpperCase());
  return failedPrecondition(
    'INVALID_STATE',
    `Cannot ${verb} "${machineName(machine)}": its state is ${state}, expected ${allowed.join(' or ')}`,
    {
      invalidState: { state, allowed },
      metadata: { name: machineName(machine), state },
    },
  );
};
