/**
 * The rest of an iterator, handed to a function item by item. A loop with `await` has half a dozen
 * promises under way from one message to the next: with ten thousand sessions that are idle for
 * seconds they grow old, and the next full collection has to find them.
 */

/** Takes one item; a promise holds the next one back. */
export type Take<T> = (item: T) => Promise<void> | undefined;

/** An iterator that needs no promise for each item. */
export type HandingIterator<T> = AsyncIterator<T> & {
  readonly handRest: (take: Take<T>) => Promise<void>;
};

/** Resolves at the end; rejects with the error of the source or of `take`. */
export const handRest = <T>(iterator: AsyncIterator<T>, take: Take<T>): Promise<void> =>
  isHanding(iterator) ? iterator.handRest(take) : pull(iterator, take);

/**
 * The same items both ways: from a generator for who asks for each, or handed over by a function.
 * Neither begins before it is wanted.
 */
export const bothWays = <T>(
  ask: () => AsyncGenerator<T>,
  hand: (take: Take<T>) => Promise<void>,
): AsyncIterable<T> => ({ [Symbol.asyncIterator]: () => new EitherWay(ask, hand) });

class EitherWay<T> implements HandingIterator<T> {
  readonly handRest: HandingIterator<T>['handRest'];
  readonly #ask: () => AsyncGenerator<T>;
  #asked: AsyncGenerator<T> | undefined;

  constructor(ask: () => AsyncGenerator<T>, hand: HandingIterator<T>['handRest']) {
    this.#ask = ask;
    this.handRest = hand;
  }

  next(): Promise<IteratorResult<T>> {
    this.#asked ??= this.#ask();
    return this.#asked.next();
  }

  return(value?: unknown): Promise<IteratorResult<T>> {
    return this.#asked?.return(value) ?? Promise.resolve({ done: true, value });
  }
}

const isHanding = <T>(iterator: AsyncIterator<T>): iterator is HandingIterator<T> =>
  'handRest' in iterator;

const pull = async <T>(iterator: AsyncIterator<T>, take: Take<T>): Promise<void> => {
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    const pending = take(next.value);
    if (pending !== undefined) await pending;
  }
};
