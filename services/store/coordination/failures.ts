import {
  type DomainError,
  failedPrecondition,
  outOfRange,
  unavailable,
} from '../../runtime/errors.ts';

/** A transaction that may or may not have been applied, or may yet be. */
export const outcomeUnknown = (cause: unknown): DomainError =>
  unavailable(
    'OUTCOME_UNKNOWN',
    'The coordination store did not answer: the transaction may have been applied or not; ' +
      'repeat it with the same request id',
    { cause },
  );

/** Nothing was applied, or repeating the call is harmless. */
export const coordinationUnavailable = (message: string, cause?: unknown): DomainError =>
  unavailable(
    'COORDINATION_UNAVAILABLE',
    message,
    cause === undefined ? undefined : { cause, retryAfterMs: 1000 },
  );

export const compacted = (cause?: unknown): DomainError =>
  outOfRange(
    'COMPACTED',
    'That revision is no longer stored: list again and watch from there',
    cause === undefined ? undefined : { cause },
  );

export const futureRevision = (cause?: unknown): DomainError =>
  outOfRange(
    'FUTURE_REVISION',
    'That revision is still to come',
    cause === undefined ? undefined : { cause },
  );

export const leaseLost = (leaseId: string): DomainError =>
  failedPrecondition('LEASE_LOST', `Lease "${leaseId}" has ended`, { metadata: { leaseId } });
