/**
 * Steps that follow each other without a call are one write: a crash finds all of them or none, and
 * whoever resumes decides the same.
 */
import { nextStep } from '../domain/advance.ts';
import { agentKey } from '../domain/capacity.ts';
import type { Machine } from '../domain/machine.ts';
import { currentStep, isDone, note } from '../domain/operation.ts';
import type { AgentView, Decided, Recording, View } from '../domain/view.ts';
import type { Journal } from './operation-journal.ts';
import { agentView } from './operation-view.ts';

type Deps = {
  readonly journal: Pick<Journal, 'agent'>;
  readonly agentFor: (machine: Machine, signal: AbortSignal) => Promise<string>;
  /** Whether others wait for their place: who has his is told to his agent after that. */
  readonly givesWay: (operationUid: string) => boolean;
};

export type Folded = {
  readonly recording: Recording;
  /** As it is once that is written. */
  readonly view: View;
  /** Undefined: the operation is done. */
  readonly next: Extract<Decided, { kind: 'call' | 'wait' }> | undefined;
  /** Of a first assignment: to whom it goes. */
  readonly agentKey: string | undefined;
};

type Asked = { readonly view: View; readonly first: Recording; readonly nowMs: number };

/** More steps than any operation has. */
const STEPS_MAX = 50;

export const foldSteps = async (
  deps: Deps,
  { view: before, first, nowMs }: Asked,
  signal: AbortSignal,
): Promise<Folded> => {
  const { version } = before.machine;
  let recording = first;
  let told: Told | undefined;
  for (let count = 0; count < STEPS_MAX; count += 1) {
    const isNew = before.assignment === null && recording.assignment === 'put';
    if (isNew) told ??= await addressee(deps, recording.machine, signal);
    const view = viewAfter(before, recording, told?.agent ?? before.agent);
    const folded = { view: { ...view, machine: { ...view.machine, version: version + 1 } } };
    const rest = { ...folded, agentKey: told?.key };
    if (isDone(recording.operation)) return { recording, next: undefined, ...rest };
    const next = nextStep(view, nowMs);
    if (next.kind === 'call') return { recording, next, ...rest };
    if (next.kind === 'wait') return { ...waiting(recording, next), ...rest };
    const isFirst = next.assignment === 'put' && view.assignment === null;
    if (isFirst && deps.givesWay(before.operation.uid)) {
      const step = currentStep(recording.operation)?.name ?? 'assign';
      return { recording, next: { kind: 'wait', wakeMs: nowMs, step, note: '' }, ...rest };
    }
    recording = {
      ...next,
      events: [...recording.events, ...next.events],
      assignment: next.assignment ?? recording.assignment,
    };
  }
  throw new Error(`The operation ${before.operation.uid} does not come to rest`);
};

type Told = { readonly key: string; readonly agent: AgentView };

const addressee = async (deps: Deps, machine: Machine, signal: AbortSignal): Promise<Told> => {
  const key = agentKey(await deps.agentFor(machine, signal));
  const agent = key === '' ? undefined : await deps.journal.agent(key);
  return { key, agent: agentView(key, agent) };
};

const viewAfter = (before: View, recording: Recording, agent: AgentView | null): View => {
  const { operation, machine, assignment } = recording;
  if (assignment === 'put') {
    return { ...before, operation, machine, assignment: { absent: false }, agent };
  }
  if (assignment === 'let-go') return { ...before, operation, machine, assignment: null };
  // Nobody is told that what he never had must not exist.
  const isTold = assignment === 'absent' && before.assignment !== null;
  const row = isTold ? { absent: true } : before.assignment;
  return { ...before, operation, machine, assignment: row };
};

const waiting = (recording: Recording, next: Extract<Decided, { kind: 'wait' }>) => ({
  recording: { ...recording, operation: note(recording.operation, next.step, next.note) },
  next,
});
