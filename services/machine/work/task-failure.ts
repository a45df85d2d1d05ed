import { isDomainError } from '../../runtime/errors.ts';
import type { TaskFailure } from '../domain/hardware-task.ts';

export type FailedTry = TaskFailure & { readonly isPassing: boolean };

const PASSING: ReadonlySet<string> = new Set([
  'unavailable',
  'deadline_exceeded',
  'aborted',
  // Too much is under way at this replica.
  'resource_exhausted',
]);

/**
 * What a failed try of a step says. A bug is thrown on, and tried again, until the time of the step
 * is up: a server must not hang in between.
 */
export const failureOf = (error: unknown, isLate: boolean): FailedTry => {
  if (!isDomainError(error)) {
    if (!isLate) throw error;
    const message = 'Something went wrong in the control plane; its log says more';
    return { reason: 'INTERNAL', message, isPassing: true };
  }
  const { kind, reason, message } = error;
  return { reason, message, isPassing: PASSING.has(kind) };
};
