import type { Clock } from '../../../runtime/clock.ts';

export type Limit = {
  readonly clock: Clock;
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The error thrown when the limit passes. */
  readonly expired: () => Error;
};

/**
 * Runs `work` for at most `limitMs`. Its signal aborts when the limit passes, when the caller's
 * signal aborts and when the work is over, so that nothing it started outlives it.
 */
export const within = async <T>(
  { clock, limitMs, signal, expired }: Limit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  signal?.throwIfAborted();
  const over = new AbortController();
  const joint = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const expiry = clock.sleep(limitMs, joint).then(() => {
    throw expired();
  });
  try {
    return await Promise.race([work(joint), expiry]);
  } finally {
    over.abort();
  }
};
