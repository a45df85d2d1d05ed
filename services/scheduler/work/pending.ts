import { unavailable } from '../../runtime/errors.ts';
import type { Command } from '../domain/command.ts';
import type { Granted } from '../ports.ts';

/** A command that waits for its decision or its commit. */
export type Pending = {
  readonly command: Command;
  readonly resolve: (granted: Granted) => void;
  readonly reject: (error: unknown) => void;
  /** True once its caller has an answer or has gone. */
  readonly isDone: () => boolean;
  /** From now on nobody knows what becomes of it when its caller goes. */
  readonly decided: () => void;
};

type Outcome = PromiseSettledResult<Granted>;

class Waiting implements Pending {
  readonly command: Command;
  readonly #onEnd: (outcome: Outcome) => void;
  #isDone = false;
  #isDecided = false;

  constructor(command: Command, onEnd: (outcome: Outcome) => void) {
    this.command = command;
    this.#onEnd = onEnd;
  }

  resolve(value: Granted): void {
    this.#end({ status: 'fulfilled', value });
  }

  reject(reason: unknown): void {
    this.#end({ status: 'rejected', reason });
  }

  isDone(): boolean {
    return this.#isDone;
  }

  decided(): void {
    this.#isDecided = true;
  }

  /** Its caller has gone. */
  leave(reason: unknown): void {
    this.reject(this.#isDecided ? outcomeUnknown() : reason);
  }

  #end(outcome: Outcome): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#onEnd(outcome);
  }
}

/**
 * The promise ends with the signal, if it did not before: what was not decided by then never will
 * be.
 */
export const pend = (
  command: Command,
  signal: AbortSignal,
): { readonly pending: Pending; readonly answer: Promise<Granted> } => {
  const { promise, resolve, reject } = Promise.withResolvers<Granted>();
  const pending = new Waiting(command, (outcome) => {
    signal.removeEventListener('abort', onAbort);
    if (outcome.status === 'fulfilled') resolve(outcome.value);
    else reject(outcome.reason);
  });
  const onAbort = (): void => pending.leave(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return { pending, answer: promise };
};

/** The same of several of one caller; resolves when all have an outcome. */
export const pendAll = (
  commands: readonly Command[],
  signal: AbortSignal,
): { readonly pending: readonly Pending[]; readonly answers: Promise<readonly Outcome[]> } => {
  const { promise, resolve } = Promise.withResolvers<readonly Outcome[]>();
  const outcomes: Outcome[] = [];
  let left = commands.length;
  const pending = commands.map(
    (command, at) =>
      new Waiting(command, (outcome) => {
        outcomes[at] = outcome;
        left -= 1;
        if (left > 0) return;
        signal.removeEventListener('abort', onAbort);
        resolve(outcomes);
      }),
  );
  // One for all: a signal goes through all that listen for each that is added.
  const onAbort = (): void => {
    for (const one of pending) one.leave(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return { pending, answers: promise };
};

export const outcomeUnknown = () =>
  unavailable(
    'OUTCOME_UNKNOWN',
    'The store has not said whether the change was written; repeat it with the same request id',
    { retryAfterMs: 1000 },
  );

/** Nothing was decided: another replica leads, or soon will. */
export const notLeader = (partition: string) =>
  unavailable('NOT_LEADER', `This replica does not lead partition "${partition}"`, {
    metadata: { partition },
    retryAfterMs: 200,
  });

export const tooBusy = (message: string, retryAfterMs: number) =>
  unavailable('BUSY', message, { retryAfterMs });
