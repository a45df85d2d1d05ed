/** What a decision about an operation sees, and what it answers. */
import type { EventDraft } from './event.ts';
import type { Holding, Machine, Problem } from './machine.ts';
import { type Failure, fail, type Operation, type StepName } from './operation.ts';

export type AgentView = {
  /** Resource name. */
  readonly name: string;
  /** "unknown" = it never had a session. */
  readonly state: 'up' | 'drained' | 'down' | 'revoked' | 'unknown';
  readonly sinceMs: number;
  /** Whether the processors of its guests are emulated. */
  readonly emulated: boolean;
};

export type View = {
  readonly operation: Operation;
  readonly machine: Machine;
  /** The row of the assignment; null = there is none (any more). */
  readonly assignment: { readonly absent: boolean } | null;
  /** The agent to which the assignment is addressed; null = none. */
  readonly agent: AgentView | null;
  /**
   * A claim may exist though none is recorded: an operation died between asking for it and
   * recording it.
   */
  readonly claimMayExist: boolean;
  readonly limits: OperationLimits;
};

export type OperationLimits = {
  /** A guest that was asked to power off and does not is left running after this. */
  readonly shutdownMs: number;
  /** What a stop, pause or resume may take beyond what the guest was given. */
  readonly powerMs: number;
  /** How long a deletion waits for the agent to say that the guest is gone; no server's does. */
  readonly destroyMs: number;
  /**
   * How long an agent's problem may last during a boot, where the agent does not say that it tries
   * again.
   */
  readonly problemMs: number;
  /** Pause after a failed call, doubled with every try up to the second. */
  readonly retryMs: number;
  readonly retryMsMax: number;
};

export const OPERATION_LIMITS: OperationLimits = {
  shutdownMs: 3 * 60_000,
  powerMs: 2 * 60_000,
  destroyMs: 30 * 60_000,
  problemMs: 30_000,
  retryMs: 1_000,
  retryMsMax: 60_000,
};

/**
 * A call to another service; safe to repeat, because its request id follows from operation and
 * step.
 */
export type Call = 'acquire' | 'begin-release' | 'finish-release';

export type CallResult =
  | { readonly kind: 'held'; readonly holding: Holding }
  | { readonly kind: 'released' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** Nobody knows, or not now: ask again. */
  | { readonly kind: 'again'; readonly message: string; readonly afterMs?: number };

/**
 * `put`: it is wanted like this. `absent`: it must not exist. `let-go`: the agent does nothing more
 * to the server, which is another's to clean and may have its next machine by then.
 */
export type AssignmentChange = 'put' | 'absent' | 'let-go';

/**
 * Written in one transaction that checks the lease of the operation; then the operation is looked
 * at again.
 */
export type Recording = {
  readonly kind: 'record';
  readonly operation: Operation;
  readonly machine: Machine;
  readonly events: readonly EventDraft[];
  /** What becomes of the assignment; null = nothing. */
  readonly assignment: AssignmentChange | null;
};

export type Decided =
  | Recording
  | { readonly kind: 'call'; readonly step: StepName; readonly call: Call }
  /** Nothing to do until something changes or the time comes. */
  | {
      readonly kind: 'wait';
      readonly wakeMs: number;
      readonly step: StepName;
      readonly note: string;
    };

export const record = (
  operation: Operation,
  machine: Machine,
  rest: Partial<Pick<Recording, 'events' | 'assignment'>> = {},
): Recording => ({
  kind: 'record',
  operation,
  machine,
  events: rest.events ?? [],
  assignment: rest.assignment ?? null,
});

export const problem = (nowMs: number, failure: Pick<Failure, 'reason' | 'message'>): Problem => ({
  reason: failure.reason,
  message: failure.message,
  sinceMs: nowMs,
  retryMs: null,
});

/** Ends the operation with that failure; the machine is as given, freed for the next operation. */
export const failed = (
  view: { readonly operation: Operation; readonly nowMs: number },
  failure: Failure,
  rest: Omit<Recording, 'kind' | 'operation'>,
): Recording => ({
  kind: 'record',
  ...rest,
  operation: fail(view.operation, view.nowMs, failure),
  machine: { ...rest.machine, operationUid: null },
});

/** Why nothing happens at the agent, as far as it is known; empty = it is there. */
export const agentNote = (agent: AgentView | null): string => {
  if (agent === null) return '';
  switch (agent.state) {
    case 'up':
    // What it has already it goes on with.
    case 'drained':
      return '';
    case 'down':
      return `the agent ${agent.name} is down since ${new Date(agent.sinceMs).toISOString()}`;
    case 'revoked':
      return `the agent ${agent.name} was revoked`;
    case 'unknown':
      return `the agent ${agent.name} has never connected`;
    default:
      return agent.state satisfies never;
  }
};
