import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SerialStream } from '../bmc-port.ts';
import { createConsoleReaders } from '../drivers/qemu/console-readers.ts';
import type { GuestConsole, GuestConsoleOutput } from '../ports.ts';
import { openCapture } from './console-capture.ts';
import { unlessAborted } from './unless-aborted.ts';

/**
 * The serial console of one controller: one session there, shared by one writer and any number of
 * readers, captured while it is open. It is open while somebody is attached or its capture is
 * wanted; where it breaks it is opened again, later and later.
 */
export type SerialLine = {
  readonly uid: string;
  /** Opens the line where it is not. Errors: those of opening it. */
  readonly attach: (order: AttachOrder, signal: AbortSignal) => Promise<GuestConsole>;
  /** Whether to capture also while nobody is attached. */
  readonly keep: (isKept: boolean) => void;
  /** Ends it for all, with the reason, and closes it at the controller. */
  readonly end: (why: string) => Promise<void>;
  readonly isOpen: () => boolean;
  readonly isIdle: () => boolean;
};

export type AttachOrder = {
  readonly readOnly: boolean;
  readonly replayBytes: number;
  readonly by: string;
  /** Told to a writer who is taken over. Empty: nothing was said. */
  readonly reason: string;
};

/** `close` ends the stream and the session that it is in. */
export type OpenedSerial = Pick<SerialStream, 'output' | 'write' | 'close'>;

type Deps = {
  readonly uid: string;
  readonly captureFile: string;
  readonly open: (signal: AbortSignal) => Promise<OpenedSerial>;
  /** Called for each piece of output. */
  readonly heard: (bytes: Uint8Array) => void;
  /** Nobody needs it any more. */
  readonly idle: () => void;
  readonly clock: Clock;
  readonly log: Logger;
};

const READER_BYTES_MAX = 1024 * 1024;
const TYPED_BYTES_MAX = 64 * 1024;
const AGAIN_MS = [500, 2_000, 5_000, 15_000, 60_000, 300_000, 600_000] as const;
const BROKEN = Buffer.from('\r\n[the line broke; it is being opened again]\r\n');

export const createSerialLine = (deps: Deps): SerialLine => {
  const capture = openCapture(deps.captureFile);
  const readers = createConsoleReaders(READER_BYTES_MAX);
  const ended = new AbortController();
  const writers = createWriters(() => stream);
  let isKept = false;
  let attached = 0;
  let stream: OpenedSerial | undefined;
  let opening: PromiseWithResolvers<void> | undefined;
  let running: Promise<void> | undefined;
  /** Ends the stream, and the pause before the next. */
  let hush = new AbortController();
  let pause = new AbortController();

  const isWanted = () => !ended.signal.aborted && (isKept || attached > 0);
  const heard = (bytes: Uint8Array): void => {
    capture.append(bytes);
    readers.publish(Buffer.from(bytes));
    deps.heard(bytes);
  };
  const runOnce = async (): Promise<void> => {
    const opened = await deps.open(ended.signal);
    stream = opened;
    opening?.resolve();
    opening = undefined;
    try {
      // Ends when nobody wants it any more: the close below ends the output.
      await Promise.race([pump(opened.output, heard), whenAborted(hush.signal)]);
    } finally {
      stream = undefined;
      await opened.close();
    }
  };
  const run = async (): Promise<void> => {
    for (let failures = 0; isWanted(); ) {
      hush = new AbortController();
      opening ??= newOpening();
      const begunMs = deps.clock.monotonicMs();
      try {
        await runOnce();
      } catch (error) {
        if (isWanted()) deps.log.info({ server: deps.uid, err: error }, 'no serial console now');
        opening?.reject(error);
        opening = undefined;
      }
      if (!isWanted()) break;
      failures = deps.clock.monotonicMs() - begunMs > 60_000 ? 0 : failures + 1;
      readers.publish(BROKEN);
      const pauseMs = AGAIN_MS[Math.min(failures, AGAIN_MS.length) - 1] ?? 500;
      pause = new AbortController();
      const woken = AbortSignal.any([ended.signal, hush.signal, pause.signal]);
      await deps.clock.sleep(pauseMs, woken).catch(() => undefined);
    }
    running = undefined;
    opening?.reject(new Error('the console is not wanted any more'));
    opening = undefined;
    if (isWanted()) look();
    else deps.idle();
  };
  /** Starts or stops what the wishes ask for. */
  const look = (): void => {
    if (!isWanted()) hush.abort();
    else running ??= run();
  };
  return {
    uid: deps.uid,
    isOpen: () => stream !== undefined,
    isIdle: () => running === undefined && !isWanted(),
    attach: async (order, signal) => {
      ended.signal.throwIfAborted();
      attached += 1;
      const leave = once(() => {
        attached -= 1;
        look();
      });
      try {
        look();
        if (stream === undefined) {
          opening ??= newOpening();
          pause.abort();
          await unlessAborted(opening.promise, signal);
        }
        const closed = new AbortController();
        const both = AbortSignal.any([signal, closed.signal]);
        const writer = order.readOnly ? undefined : writers.open(order);
        const past = capture.tail(order.replayBytes);
        const chunks = readers.subscribe(past.bytes, both);
        const output = outputOf(chunks, writer?.lost, () => endReason(ended.signal));
        return {
          readOnly: order.readOnly,
          truncated: past.truncated,
          output,
          write: (bytes) => writer?.write(bytes),
          close: () => {
            writer?.close();
            closed.abort();
            leave();
          },
        };
      } catch (error) {
        leave();
        throw error;
      }
    },
    keep: (next) => {
      isKept = next;
      look();
    },
    end: async (why) => {
      ended.abort(new Error(why));
      readers.endAll();
      hush.abort();
      await running;
      capture.close();
    },
  };
};

const newOpening = (): PromiseWithResolvers<void> => {
  const opening = Promise.withResolvers<void>();
  opening.promise.catch(() => undefined);
  return opening;
};

const once = (work: () => void): (() => void) => {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
};

const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const endReason = (signal: AbortSignal): string =>
  signal.reason instanceof Error ? signal.reason.message : 'the console ended';

const pump = async (
  output: AsyncIterable<Uint8Array>,
  heard: (bytes: Uint8Array) => void,
): Promise<void> => {
  for await (const bytes of output) heard(bytes);
};

type Writer = {
  readonly write: (bytes: Uint8Array) => void;
  /** Resolves with who took over. */
  readonly lost: Promise<string>;
  readonly close: () => void;
};

/** One writer at a time; what is typed faster than the controller takes it is lost, as on wire. */
const createWriters = (stream: () => OpenedSerial | undefined) => {
  let current: ((by: string) => void) | undefined;
  let queue: Uint8Array[] = [];
  let isWriting = false;
  const drain = async (): Promise<void> => {
    isWriting = true;
    while (queue.length > 0) {
      const bytes = Buffer.concat(queue);
      queue = [];
      await stream()
        ?.write(bytes)
        .catch(() => undefined);
    }
    isWriting = false;
  };
  const open = ({ by, reason }: AttachOrder): Writer => {
    const { promise: lost, resolve } = Promise.withResolvers<string>();
    current?.(reason === '' ? by : `${by}: ${reason}`);
    current = resolve;
    return {
      write: (bytes) => {
        const queuedBytes = queue.reduce((sum, one) => sum + one.length, 0);
        if (current !== resolve || queuedBytes + bytes.length > TYPED_BYTES_MAX) return;
        queue.push(bytes);
        if (!isWriting) void drain();
      },
      lost,
      close: () => {
        if (current === resolve) current = undefined;
      },
    };
  };
  return { open };
};

type Chunks = ReturnType<ReturnType<typeof createConsoleReaders>['subscribe']>;

async function* outputOf(
  chunks: Chunks,
  lost: Promise<string> | undefined,
  why: () => string,
): AsyncGenerator<GuestConsoleOutput> {
  const iterator = chunks[Symbol.asyncIterator]();
  let loss = lost?.then((by) => ({ by }));
  let next = iterator.next();
  try {
    for (;;) {
      const first = await (loss === undefined ? next : Promise.race([next, loss]));
      if ('by' in first) {
        loss = undefined;
        yield { kind: 'taken_over', by: first.by };
        continue;
      }
      if (first.done) return;
      next = iterator.next();
      const chunk = first.value;
      if (chunk.kind === 'bytes') yield { kind: 'data', bytes: chunk.bytes };
      else {
        yield { kind: 'closed', why: chunk.why === 'too_slow' ? SLOW : why() };
        return;
      }
    }
  } finally {
    await iterator.return?.();
  }
}

const SLOW = 'this reader was too slow';
