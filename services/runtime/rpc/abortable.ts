/**
 * Ends a wait when a signal aborts, whether or not the other side heeds the signal. Written without
 * Promise.race: a race against one long-lived promise keeps every result of a long stream in
 * memory.
 */
import { type HandingIterator, handRest, type Take } from '../hand-rest.ts';

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

export type Watching<T> = {
  /** Sees each item first and ends the iteration by throwing. */
  readonly look?: (item: T) => void;
  /** What is thrown for an error of the source. */
  readonly name?: (error: unknown) => unknown;
};

/**
 * The same items until the signal aborts; then its reason is thrown and the source is told to
 * return. No generators, and few closures: thousands of idle streams wait here.
 */
export const abortable = <T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  watching: Watching<T> = {},
): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () =>
    new AbortableIterator(source[Symbol.asyncIterator](), signal, watching),
});

const END = { done: true, value: undefined } as const;

class AbortableIterator<T> implements HandingIterator<T> {
  readonly #source: AsyncIterator<T>;
  readonly #signal: AbortSignal;
  readonly #watching: Watching<T>;
  #resolve: ((result: IteratorResult<T>) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;

  constructor(source: AsyncIterator<T>, signal: AbortSignal, watching: Watching<T>) {
    this.#source = source;
    this.#signal = signal;
    this.#watching = watching;
    signal.addEventListener('abort', this, { once: true });
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#source.next().then(this.#onItem, this.#onError);
    });
  }

  handRest(take: Take<T>): Promise<void> {
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason);
    return new Promise((resolve, reject) => {
      this.#resolve = () => resolve();
      this.#reject = reject;
      const onItem = (item: T) => this.pass(item, take);
      handRest(this.#source, onItem).then(() => this.#onItem(END), this.#onError);
    });
  }

  private pass(item: T, take: Take<T>): Promise<void> | undefined {
    try {
      // One that a source sends although it was told to return.
      if (this.#signal.aborted) throw this.#signal.reason;
      this.#watching.look?.(item);
      return take(item);
    } catch (error) {
      const reject = this.#reject;
      this.forget();
      this.release();
      reject?.(error);
      throw error;
    }
  }

  return(value?: unknown): Promise<IteratorResult<T>> {
    this.release();
    return Promise.resolve({ done: true as const, value });
  }

  /** The signal aborted. */
  handleEvent(): void {
    const reject = this.#reject;
    this.forget();
    reject?.(this.#signal.reason);
    this.release();
  }

  readonly #onItem = (result: IteratorResult<T>): void => {
    const [resolve, reject] = [this.#resolve, this.#reject];
    this.forget();
    if (result.done === true) this.#signal.removeEventListener('abort', this);
    else {
      try {
        this.#watching.look?.(result.value);
      } catch (error) {
        this.release();
        reject?.(error);
        return;
      }
    }
    resolve?.(result);
  };

  readonly #onError = (error: unknown): void => {
    const reject = this.#reject;
    this.forget();
    reject?.(this.#watching.name === undefined ? error : this.#watching.name(error));
  };

  private forget(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
  }

  private release(): void {
    this.#signal.removeEventListener('abort', this);
    // Not awaited: a source that is stuck may never return.
    this.#source.return?.()?.then(undefined, () => undefined);
  }
}
