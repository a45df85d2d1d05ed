/**
 * Accepts a verb on a locked machine: what is wanted, the operation and the end of a pre-empted
 * one, in one write.
 */
import type { Random } from '../runtime/random.ts';
import type { Tx } from '../store/sql/transaction.ts';
import { type EventDraft, event } from './domain/event.ts';
import { isMetal, type Machine, machineName } from './domain/machine.ts';
import {
  type Caller,
  fail,
  newOperation,
  type Operation,
  operationName,
  type Verb,
} from './domain/operation.ts';
import { takenOver } from './domain/step-answers.ts';
import { decide, type VerbRequest } from './domain/verbs.ts';
import type { MachineWriter, Records } from './ports.ts';

type Deps = {
  readonly records: Records;
  readonly writer: MachineWriter;
  readonly random: Random;
};

export type Asked = {
  /** As `lock` gave it. */
  readonly machine: Machine;
  readonly request: VerbRequest;
  readonly caller: Caller;
};

export type AcceptedVerb =
  | { readonly kind: 'already'; readonly machine: Machine }
  | { readonly kind: 'running'; readonly machine: Machine; readonly operation: Operation }
  | { readonly kind: 'accepted'; readonly machine: Machine; readonly operation: Operation };

const SENTENCES: Readonly<Record<VerbRequest['verb'], string>> = {
  start: 'Start was asked for',
  shutdown: 'The guest is asked to power off',
  stop: 'Stop was asked for',
  reset: 'Reset was asked for',
  pause: 'Pause was asked for',
  resume: 'Resume was asked for',
  delete: 'Deletion was asked for',
};

const TYPES: Readonly<Partial<Record<Verb, string>>> = {
  shutdown: 'machine.stopping',
  stop: 'machine.stopping',
  delete: 'machine.releasing',
};

/** Errors: those of `decide`. */
export const acceptVerb = async (deps: Deps, tx: Tx, asked: Asked): Promise<AcceptedVerb> => {
  const { machine, request, caller } = asked;
  const running =
    machine.operationUid === null
      ? undefined
      : await deps.records.operations.lock(tx, machine.operationUid);
  const decision = decide(machine, running, request);
  if (decision.kind === 'already') return { kind: 'already', machine };
  if (decision.kind === 'running') {
    return { kind: 'running', machine, operation: decision.operation };
  }
  const { nowMs, verb } = request;
  if (decision.preempted !== undefined) {
    const { preempted } = decision;
    const ended = fail(preempted, nowMs, takenOver(preempted, verb));
    await deps.records.operations.saveTaking(tx, ended);
  }
  const operation = newOperation(
    {
      uid: deps.random.uid(),
      partition: machine.partition,
      project: machine.project,
      verb,
      target: machineName(machine),
      targetUid: machine.uid,
      caller,
      isMetal: isMetal(machine),
    },
    nowMs,
  );
  const next = { ...decision.machine, operationUid: operation.uid };
  await deps.records.operations.insert(tx, operation);
  await deps.writer.write(tx, {
    machine: next,
    events: [acceptedEvent(nowMs, verb)],
    assignment: null,
    principal: caller.principal,
    operation: operationName(machine.partition, operation.uid),
  });
  // A deletion tells the agent as a step of its own, after it was recorded that it may have.
  if (verb !== 'delete') await deps.writer.renewAssignment(tx, next);
  return { kind: 'accepted', machine: next, operation };
};

const acceptedEvent = (nowMs: number, verb: VerbRequest['verb']): EventDraft =>
  event(nowMs, {
    type: TYPES[verb] ?? `machine.${verb}_requested`,
    message: SENTENCES[verb],
    data: { verb },
  });
