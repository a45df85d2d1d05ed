/** Sends until something fitting comes back: every wait on a controller outside of a session. */
import type { Clock } from '../../../../runtime/clock.ts';
import { OVER } from '../../../../runtime/clock.ts';
import type { Datagrams } from './datagrams.ts';

export type Asking<T> = {
  readonly clock: Clock;
  readonly datagrams: Datagrams;
  /** The datagram of the nth try, from 0. */
  readonly send: (attempt: number) => Uint8Array;
  /** What it was waited for; undefined: something else, wait on. */
  readonly accept: (bytes: Buffer) => T | undefined;
  /** How long to wait after each try, in milliseconds; as many tries as there are. */
  readonly waitsMs: readonly number[];
  readonly signal: AbortSignal;
};

/**
 * Undefined when nothing fitting came. Throws the signal's reason, or what broke the socket.
 */
export const ask = async <T>(asking: Asking<T>): Promise<T | undefined> => {
  const { clock, datagrams, signal } = asking;
  const answer = Promise.withResolvers<T>();
  datagrams.listen((bytes) => {
    const accepted = asking.accept(bytes);
    if (accepted !== undefined) answer.resolve(accepted);
  });
  try {
    for (const [attempt, waitMs] of asking.waitsMs.entries()) {
      signal.throwIfAborted();
      datagrams.broken.throwIfAborted();
      datagrams.send(asking.send(attempt));
      const found = await orAfter(clock, answer.promise, waitMs, [signal, datagrams.broken]);
      if (found !== undefined) return found;
    }
    return undefined;
  } finally {
    datagrams.listen(undefined);
  }
};

/** The promise's value, or undefined after `waitMs`; throws the reason of what aborts first. */
export const orAfter = async <T>(
  clock: Clock,
  promise: Promise<T>,
  waitMs: number,
  signals: readonly AbortSignal[],
): Promise<T | undefined> => {
  const over = new AbortController();
  const all = AbortSignal.any([over.signal, ...signals]);
  const timer = clock.sleep(waitMs, all).then(() => undefined);
  try {
    return await Promise.race([promise, timer]);
  } finally {
    over.abort(OVER);
    timer.catch(() => undefined);
  }
};

/** The promise's outcome, or the signal's reason if that comes first. */
export const orAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> => {
  promise.catch(() => undefined);
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const done = (): void => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(done);
  });
};
