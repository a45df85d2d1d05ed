/**
 * Ends a wait when a signal aborts, whether or not the other side heeds the signal. Written without
 * Promise.race: a race against one long-lived promise keeps every result of a long stream in
 * memory.
 */

/** The promise, or the signal's reason as a rejection, whichever comes first. */
export const within = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => undefined);
      reject(signal.reason);
      return;
    }
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      },
      (error) => {
        signal.removeEventListener('abort', onAbort);
        reject(error);
      },
    );
  });

/**
 * The same items until the signal aborts; then its reason is thrown and the source is told to
 * return.
 */
export const abortable = <T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () => {
    const iterator = source[Symbol.asyncIterator]();
    let rejectPending: ((reason: unknown) => void) | undefined;
    const release = () => {
      signal.removeEventListener('abort', onAbort);
      // Not awaited: a source that is stuck may never return.
      iterator.return?.()?.then(undefined, () => undefined);
    };
    const onAbort = () => {
      rejectPending?.(signal.reason);
      rejectPending = undefined;
      release();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return {
      next: () =>
        new Promise((resolve, reject) => {
          if (signal.aborted) {
            reject(signal.reason);
            return;
          }
          rejectPending = reject;
          iterator.next().then((result) => {
            rejectPending = undefined;
            if (result.done === true) signal.removeEventListener('abort', onAbort);
            resolve(result);
          }, reject);
        }),
      return: (value?: unknown) => {
        release();
        return Promise.resolve({ done: true as const, value });
      },
    };
  },
});
