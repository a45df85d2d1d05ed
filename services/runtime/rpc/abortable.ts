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
 * return. `look` sees each item first and ends the iteration by throwing; `name` says what is
 * thrown for an error of the source. No generators: thousands of idle streams wait here.
 */
export const abortable = <T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  { look, name }: { look?: (item: T) => void; name?: (error: unknown) => unknown } = {},
): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () => {
    const iterator = source[Symbol.asyncIterator]();
    let pending: Pending<T> | undefined;
    const release = () => {
      signal.removeEventListener('abort', onAbort);
      // Not awaited: a source that is stuck may never return.
      iterator.return?.()?.then(undefined, () => undefined);
    };
    const onAbort = () => {
      pending?.reject(signal.reason);
      pending = undefined;
      release();
    };
    const onItem = (result: IteratorResult<T>) => {
      const waiting = pending;
      pending = undefined;
      if (result.done === true) signal.removeEventListener('abort', onAbort);
      else {
        try {
          look?.(result.value);
        } catch (error) {
          release();
          waiting?.reject(error);
          return;
        }
      }
      waiting?.resolve(result);
    };
    const onError = (error: unknown) => {
      const waiting = pending;
      pending = undefined;
      waiting?.reject(name === undefined ? error : name(error));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return {
      next: () =>
        new Promise((resolve, reject) => {
          if (signal.aborted) {
            reject(signal.reason);
            return;
          }
          pending = { resolve, reject };
          iterator.next().then(onItem, onError);
        }),
      return: (value?: unknown) => {
        release();
        return Promise.resolve({ done: true as const, value });
      },
    };
  },
});

type Pending<T> = {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (reason: unknown) => void;
};
