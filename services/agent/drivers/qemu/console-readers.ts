/**
 * Gives what a serial port writes to any number of readers. What is kept for each is bounded: one
 * that does not keep up is dropped and told so, and never slows the guest or another reader.
 */
export type ConsoleChunk =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** The last chunk of a reader that fell too far behind, or of a guest that was removed. */
  | { readonly kind: 'ended'; readonly why: 'too_slow' | 'removed' };

export type ConsoleReaders = {
  readonly publish: (bytes: Buffer) => void;
  /** Chunks from now on, after `first`. Ends when the signal aborts, without a last chunk. */
  readonly subscribe: (first: Buffer, signal?: AbortSignal) => AsyncIterable<ConsoleChunk>;
  readonly endAll: () => void;
  readonly count: () => number;
};

type Reader = {
  queue: Buffer[];
  queuedBytes: number;
  ended: 'too_slow' | 'removed' | null;
  wake: () => void;
};

export const createConsoleReaders = (queuedBytesMax: number): ConsoleReaders => {
  const readers = new Set<Reader>();
  const end = (reader: Reader, why: 'too_slow' | 'removed'): void => {
    readers.delete(reader);
    reader.ended = why;
    reader.wake();
  };
  return {
    publish: (bytes) => {
      for (const reader of readers) {
        if (reader.queuedBytes + bytes.length > queuedBytesMax) {
          end(reader, 'too_slow');
          continue;
        }
        reader.queue.push(bytes);
        reader.queuedBytes += bytes.length;
        reader.wake();
      }
    },
    subscribe: (first, signal) => {
      const reader: Reader = { queue: [], queuedBytes: 0, ended: null, wake: () => undefined };
      if (first.length > 0) reader.queue.push(first);
      readers.add(reader);
      return drain(reader, () => readers.delete(reader), signal);
    },
    endAll: () => {
      for (const reader of readers) end(reader, 'removed');
    },
    count: () => readers.size,
  };
};

async function* drain(
  reader: Reader,
  leave: () => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<ConsoleChunk, void, undefined> {
  const onAbort = () => reader.wake();
  signal?.addEventListener('abort', onAbort);
  try {
    while (!isAborted(signal)) {
      const bytes = Buffer.concat(reader.queue.splice(0));
      reader.queuedBytes = 0;
      if (bytes.length > 0) yield { kind: 'bytes', bytes };
      if (reader.queue.length > 0) continue;
      if (reader.ended !== null) {
        yield { kind: 'ended', why: reader.ended };
        return;
      }
      if (isAborted(signal)) return;
      await new Promise<void>((resolve) => {
        reader.wake = resolve;
      });
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    leave();
  }
}

// A function, because the type checker believes that nothing changes across an await.
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;
