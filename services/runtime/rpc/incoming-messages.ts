import type { Readable } from 'node:stream';

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

class IncomingIterator<T> implements AsyncIterator<T, undefined> {
  readonly #call: Readable;
  readonly #decode: (bytes: Buffer) => T;
  #resolve: ((result: IteratorResult<T, undefined>) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;
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

  return(): Promise<IteratorResult<T, undefined>> {
    this.#finish();
    return Promise.resolve(END);
  }

  readonly #look = (): void => {
    const [resolve, reject] = [this.#resolve, this.#reject];
    if (resolve === undefined || reject === undefined) return;
    const bytes: Buffer | null = this.#isOver ? null : this.#call.read();
    if (bytes === null && !this.#isOver) return;
    this.#resolve = undefined;
    this.#reject = undefined;
    if (bytes === null) {
      if (this.#failure === undefined) resolve(END);
      else reject(this.#failure);
      this.#failure = undefined;
      return;
    }
    try {
      resolve({ done: false, value: this.#decode(bytes) });
    } catch (error) {
      reject(error);
    }
  };

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
