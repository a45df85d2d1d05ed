import { type Clock, OVER } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';

/**
 * A signal that aborts after `ms`, or with its parent. Dispose of it when the wait is over, so
 * that no timer and no listener on a long-lived parent outlives the call.
 */
export const deadlineAfter = (
  clock: Clock,
  ms: number,
  parent?: AbortSignal,
): { readonly signal: AbortSignal } & Disposable => {
  const deadline = new AbortController();
  const done = new AbortController();
  const onParent = () => deadline.abort(parent?.reason);
  if (parent?.aborted) onParent();
  parent?.addEventListener('abort', onParent, { once: true });
  clock.sleep(ms, done.signal).then(
    () => deadline.abort(new Error(`No answer within ${ms} ms`)),
    () => undefined,
  );
  return {
    signal: deadline.signal,
    [Symbol.dispose]: () => {
      parent?.removeEventListener('abort', onParent);
      done.abort(OVER);
    },
  };
};

/** Waits for the promise, or rejects with the signal's reason; the promise itself goes on. */
export const abortable = async <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> => {
  // Whoever lost interest must not crash the process when the promise rejects later.
  promise.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
};

/** Sleeps; true when it slept, false when the signal aborted first. */
export const slept = (clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> =>
  clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );

/**
 * Waits between attempts: doubling from `firstMs` to `mostMs`, each somewhere between half of it
 * and the whole, so that many clients do not come back at once.
 */
export const backOff = (
  random: Random,
  limits: { readonly firstMs: number; readonly mostMs: number },
): { readonly nextMs: () => number; readonly reset: () => void } => {
  let ms = limits.firstMs;
  return {
    nextMs: () => {
      const whole = ms;
      ms = Math.min(ms * 2, limits.mostMs);
      return whole * (0.5 + random.fraction() / 2);
    },
    reset: () => {
      ms = limits.firstMs;
    },
  };
};

/** Resolves when the signal aborts. For signals that end, not for those of a process. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
