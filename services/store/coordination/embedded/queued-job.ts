import type { DomainError } from '../../../runtime/errors.ts';
import { coordinationUnavailable, outcomeUnknown } from '../failures.ts';
import type { Revision, WatchEvent } from '../port.ts';

/**
 * One change of the store. `run` is called inside the SQLite transaction with the revision that
 * its changes get, and gives the changes it wants; it throws a DomainError to refuse, and only
 * this job fails. `committed` is called once the changes are durable, also when the caller has
 * given up meanwhile.
 */
export type Job<T> = {
  readonly run: (next: Revision) => { readonly value: T; readonly events: readonly WatchEvent[] };
  readonly committed?: (value: T) => void;
  /** Repeating it is harmless, so an unknown outcome is told as unavailable. */
  readonly isRepeatable?: boolean;
  readonly signal?: AbortSignal;
};

export type Waiting = {
  readonly run: (next: Revision) => readonly WatchEvent[];
  /** What it changed is durable. */
  readonly settle: () => void;
  /** It was refused; nothing was changed. */
  readonly fail: (error: unknown) => void;
  /** Nobody knows whether its changes are on the disk. */
  readonly lose: (error: unknown) => void;
};

export const toWaiting = <T>(
  job: Job<T>,
  leave: (queued: Waiting) => void,
): { queued: Waiting; answer: Promise<T> } => {
  const { signal } = job;
  const answer = Promise.withResolvers<T>();
  let isStarted = false;
  let value: { readonly is: T } | undefined;
  const end = (): void => signal?.removeEventListener('abort', onAbort);
  const lose = (error: unknown): void => {
    end();
    answer.reject(
      job.isRepeatable === true
        ? coordinationUnavailable('The store did not answer', error)
        : outcomeUnknown(error),
    );
  };
  const fail = (error: unknown): void => {
    end();
    answer.reject(error);
  };
  const onAbort = (): void => {
    if (isStarted) lose(signal?.reason);
    else {
      leave(queued);
      fail(givenUp(signal));
    }
  };
  signal?.addEventListener('abort', onAbort);
  const queued: Waiting = {
    run: (next) => {
      isStarted = true;
      const outcome = job.run(next);
      value = { is: outcome.value };
      return outcome.events;
    },
    settle: () => {
      end();
      if (value === undefined) return;
      job.committed?.(value.is);
      answer.resolve(value.is);
    },
    fail,
    lose,
  };
  return { queued, answer: answer.promise };
};

export const givenUp = (signal: AbortSignal | undefined): DomainError =>
  coordinationUnavailable('Given up before it was started', signal?.reason);
