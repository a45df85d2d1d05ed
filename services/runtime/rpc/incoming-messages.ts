import type { Readable } from 'node:stream';

type Waiting<T> = {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (reason: unknown) => void;
};

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
  [Symbol.asyncIterator]: () => {
    let waiting: Waiting<T> | undefined;
    let isOver = false;
    let failure: unknown;
    const look = () => {
      if (waiting === undefined) return;
      const { resolve, reject } = waiting;
      const bytes: Buffer | null = isOver ? null : call.read();
      if (bytes === null && !isOver) return;
      waiting = undefined;
      if (bytes === null) {
        if (failure === undefined) resolve(END);
        else reject(failure);
        failure = undefined;
        return;
      }
      try {
        resolve({ done: false, value: decode(bytes) });
      } catch (error) {
        reject(error);
      }
    };
    const finish = (error?: unknown) => {
      if (isOver) return;
      isOver = true;
      failure = error;
      call.off('readable', look).off('end', onEnd).off('close', onClose);
      look();
    };
    const onEnd = () => finish();
    const onError = (error: unknown) => finish(error);
    const onClose = () => finish(new Error('The call was closed before the end of its input'));
    if (call.readableEnded) isOver = true;
    else if (call.destroyed) onClose();
    else call.on('readable', look).on('end', onEnd).on('error', onError).on('close', onClose);
    return {
      next: () =>
        new Promise((resolve, reject) => {
          waiting = { resolve, reject };
          look();
        }),
      return: () => {
        finish();
        return Promise.resolve(END);
      },
    };
  },
});
