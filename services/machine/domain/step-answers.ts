/** What the plans of all verbs share. */
import type { Failure, Operation } from './operation.ts';
import type { View } from './view.ts';

/** When to try again: what the other side asks for, else doubling with every try. */
export const retryAtMs = (
  { operation, limits }: Pick<View, 'operation' | 'limits'>,
  afterMs: number | undefined,
  nowMs: number,
): number => {
  const doubled = limits.retryMs * 2 ** Math.min(operation.attempt - 1, 16);
  return nowMs + Math.min(Math.max(afterMs ?? 0, doubled), limits.retryMsMax);
};

export const cancelled = (operation: Operation): Failure => ({
  kind: 'cancelled',
  reason: 'CANCELLED',
  message: `The operation "${operation.verb}" was cancelled`,
  metadata: {},
  removedBy: null,
});

/** The failure of an operation that another one took over. */
export const takenOver = (operation: Operation, by: string): Failure => ({
  kind: 'aborted',
  reason: 'CANCELLED',
  message: `The operation "${operation.verb}" was ended because "${by}" was asked for`,
  metadata: { verb: by },
  removedBy: null,
});

export const tooLate = (
  kind: 'deadline_exceeded' | 'unavailable',
  reason: string,
  message: string,
): Failure => ({ kind, reason, message, metadata: {}, removedBy: null });
