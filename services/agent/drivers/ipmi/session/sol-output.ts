import type { BmcError } from '../../../bmc-port.ts';

/** What a console printed and nobody has read yet; whoever fills it watches `waiting`. */
export type SolOutput = {
  /** For one reader; throws the failure after everything that came before it. */
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly push: (bytes: Buffer) => void;
  readonly waiting: () => number;
  readonly end: (failure: BmcError | undefined) => void;
};

export const createSolOutput = (): SolOutput => {
  let queue: Buffer[] = [];
  let waiting = 0;
  let isOver = false;
  let failure: BmcError | undefined;
  let changed = Promise.withResolvers<void>();
  const tell = (): void => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (queue.length > 0) {
        const all = Buffer.concat(queue);
        queue = [];
        waiting = 0;
        yield all;
      } else if (isOver) {
        if (failure !== undefined) throw failure;
        return;
      } else {
        await changed.promise;
      }
    }
  }
  return {
    bytes: bytes(),
    push: (piece) => {
      if (piece.length === 0 || isOver) return;
      // A copy: the datagram's memory is the socket's.
      queue.push(Buffer.from(piece));
      waiting += piece.length;
      tell();
    },
    waiting: () => waiting,
    end: (reason) => {
      isOver = true;
      failure = reason;
      tell();
    },
  };
};
