import type { Readable } from 'node:stream';
import type { HandingIterator, Take } from '../hand-rest.ts';

const END = { done: true, value: undefined } as const;

/**
 * The messages of a call on grpc-js as they come. Written by hand: Node's own iterator destroys the
 * duplex at the end of the input, so that the call hangs for ever, and a chain of generators costs
 * each of ten thousand idle sessions several kilobytes.
 */
export const incomingMessages = <T>(
  call: Readable,
  decode: (bytes: Buffer) => T,
): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () => new IncomingIterator(call, decode),
});

class IncomingIterator<T> implements HandingIterator<T> {
  readonly #call: Readable;
  readonly #decode: (bytes: Buffer) => T;
  #resolve: ((result: IteratorResult<T, undefined>) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;
  /** Gets what comes; absent = the promise of `next` does. */
  #take: Take<T> | undefined;
  /** It has not done yet with what it got last. */
  #isTaking = false;
  #isOver = false;
  #failure: unknown;

  constructor(call: Readable, decode: (bytes: Buffer) => T) {
    this.#call = call;
    this.#decode = decode;
    if (call.readableEnded) this.#isOver = true;
    else if (call.destroyed) this.#onClose();
    else {
      call.on('readable', this.#look).on('end', this.#onEnd);
      call.on('error', this.#finish).on('close', this.#onClose);
    }
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#look();
    });
  }

  handRest(take: Take<T>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = () => resolve();
      this.#reject = reject;
      this.#take = take;
      this.#look();
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#finish();
    return Promise.resolve(END);
  }

  readonly #look = (): void => {
    while (this.#resolve !== undefined && !this.#isTaking) {
      const bytes: Buffer | null = this.#isOver ? null : this.#call.read();
      if (bytes !== null) this.pass(bytes);
      else if (this.#isOver) this.settle();
      else return;
    }
  };

  private pass(bytes: Buffer): void {
    try {
      const value = this.#decode(bytes);
      if (this.#take === undefined) this.answer({ done: false, value });
      else this.wait(this.#take(value));
    } catch (error) {
      if (this.#take === undefined) this.fail(error);
      else this.#finish(error);
    }
  }

  private wait(pending: Promise<void> | undefined): void {
    if (pending === undefined) return;
    this.#isTaking = true;
    const go = () => {
      this.#isTaking = false;
      this.#look();
    };
    pending.then(go, (error) => {
      this.#finish(error);
      go();
    });
  }

  private settle(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) this.answer(END);
    else this.fail(failure);
  }

  private answer(result: IteratorResult<T, undefined>): void {
    const resolve = this.#resolve;
    this.forget();
    resolve?.(result);
  }

  private fail(error: unknown): void {
    const reject = this.#reject;
    this.forget();
    reject?.(error);
  }

  private forget(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
  }

  readonly #finish = (error?: unknown): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = error;
    this.#call.off('readable', this.#look).off('end', this.#onEnd).off('close', this.#onClose);
    this.#look();
  };

  readonly #onEnd = (): void => this.#finish();

  readonly #onClose = (): void =>
    this.#finish(new Error('The call was closed before the end of its input'));
}
