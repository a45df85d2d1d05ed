/**
 * The serial console of one guest. One connection to qemu's serial socket reads as long as the
 * guest runs, because qemu serves one client and a guest stalls when its output is not taken; it
 * feeds the readers and the history they begin with. One writer at a time: a newcomer takes over
 * and the old one is told.
 */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../runtime/clock.ts';
import { deadlineExceeded, failedPrecondition, unavailable } from '../../../runtime/errors.ts';
import { logSizeBytes, readFrom, readLogTail, rotateLog, withoutOverlap } from './console-log.ts';
import { type ConsoleChunk, createConsoleReaders } from './console-readers.ts';
import { createKernelLineScanner, type KernelLineScanner } from './kernel-line.ts';
import type { DriverLog } from './program.ts';
import { within } from './within.ts';

export type WriterEnd =
  | { readonly why: 'taken_over'; readonly by: string }
  | { readonly why: 'closed' | 'removed' };

export type ConsoleWriter = {
  /**
   * Resolves when qemu has taken the bytes. Throws failed_precondition CONSOLE_TAKEN_OVER for a
   * writer that is no longer the one, failed_precondition GUEST_NOT_RUNNING, deadline_exceeded
   * CONSOLE_STUCK.
   */
  readonly write: (bytes: Uint8Array, signal?: AbortSignal) => Promise<void>;
  /** Resolves when this writer can write no more. */
  readonly ended: Promise<WriterEnd>;
  readonly close: () => void;
};

export type CapturedLog = { readonly bytes: Buffer; readonly truncated: boolean };

export type GuestConsole = {
  /**
   * What the guest wrote, at most `historyBytes` of the past first (256 KiB are kept at hand), then
   * live, across boots, without a gap between the two.
   */
  readonly read: (options: {
    readonly historyBytes: number;
    readonly signal?: AbortSignal;
  }) => AsyncIterable<ConsoleChunk>;
  /** Takes over from whoever writes now, and tells them that it was `by`. */
  readonly openWriter: (by: string) => ConsoleWriter;
  /**
   * At most the last `tailBytes` of the captured log, over all boots; truncated: there was more.
   */
  readonly readLog: (options: { readonly tailBytes: number }) => Promise<CapturedLog>;
};

/** What the driver does with a console and a caller does not. */
export type OwnedConsole = GuestConsole & {
  /**
   * Before qemu starts: from here on a kernel line belongs to the new boot. Answers the log's size.
   */
  readonly beginBoot: () => Promise<number>;
  /**
   * After a restart of ours: looks for the kernel line of a boot whose log began at that offset.
   */
  readonly resumeBoot: (logOffsetBytes: number) => Promise<void>;
  /** Connects to a running qemu; already so is fine. */
  readonly attach: (signal?: AbortSignal) => Promise<void>;
  /** Resolves when everything qemu sent has been read, and at once when not attached. */
  readonly drained: () => Promise<void>;
  /** Lets go of the socket; readers stay. */
  readonly detach: () => void;
  /** Ends readers and writer: the guest is gone. */
  readonly end: () => void;
};

export type ConsoleDeps = {
  readonly name: string;
  readonly serialSocket: string;
  readonly serialLog: string;
  readonly clock: Clock;
  readonly log: DriverLog;
  readonly onKernelLine: (line: string) => void;
  readonly limits?: Partial<ConsoleLimits>;
};

export type ConsoleLimits = {
  readonly historyBytes: number;
  readonly readerBytes: number;
  /** The log is rotated above it, and so takes at most about twice as much. */
  readonly logBytes: number;
};

const LIMITS: ConsoleLimits = {
  historyBytes: 256 * 1024,
  readerBytes: 1024 * 1024,
  logBytes: 4 * 1024 * 1024,
};
const CONNECT_LIMIT_MS = 5_000;
const WRITE_LIMIT_MS = 10_000;

export const createGuestConsole = (deps: ConsoleDeps): OwnedConsole => {
  const limits = { ...LIMITS, ...deps.limits };
  const readers = createConsoleReaders(limits.readerBytes);
  const writers = createWriters(deps, () => socket);
  let history: Buffer = Buffer.alloc(0);
  let scanner: KernelLineScanner | null = null;
  let socket: Socket | null = null;
  let loaded: Promise<void> | null = null;
  /** How much of the log file is in the history, or was published. */
  let seenBytes = 0;
  let rotating = false;

  const scan = (bytes: Buffer): void => {
    const line = scanner?.push(bytes) ?? null;
    if (line === null) return;
    scanner = null;
    deps.onKernelLine(line);
  };

  const publish = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    history = Buffer.concat([history, bytes]).subarray(-limits.historyBytes);
    seenBytes += bytes.length;
    readers.publish(bytes);
    scan(bytes);
    if (seenBytes > limits.logBytes && !rotating) void rotate();
  };

  const rotate = async (): Promise<void> => {
    rotating = true;
    try {
      seenBytes = Math.max(0, seenBytes - (await rotateLog(deps.serialLog)));
    } catch (error) {
      deps.log.warn({ guest: deps.name, err: error }, 'serial log not rotated');
    } finally {
      rotating = false;
    }
  };

  const load = (): Promise<void> => {
    loaded ??= (async () => {
      seenBytes = await logSizeBytes(deps.serialLog);
      history = await readLogTail(deps.serialLog, limits.historyBytes);
    })();
    return loaded;
  };

  const attach = async (signal?: AbortSignal): Promise<void> => {
    if (socket !== null) return;
    await load();
    const opened = await openSerial(deps, signal);
    socket = opened;
    let early: Buffer[] | null = [];
    opened.on('data', (chunk: Buffer) => {
      if (early === null) publish(chunk);
      else early.push(chunk);
    });
    opened.once('close', () => {
      if (socket === opened) socket = null;
    });
    // qemu wrote to the log before anyone listened; the two meet somewhere in the middle.
    const missed = await readFrom(deps.serialLog, seenBytes);
    publish(missed);
    publish(withoutOverlap(missed, Buffer.concat(early)));
    early = null;
  };

  return {
    read: (options) => readConsole({ load, readers, history: () => history }, options),
    openWriter: writers.open,
    readLog: async ({ tailBytes }) => {
      const bytes = await readLogTail(deps.serialLog, tailBytes + 1);
      const truncated = bytes.length > tailBytes;
      return { bytes: truncated ? bytes.subarray(1) : bytes, truncated };
    },
    beginBoot: async () => {
      await load();
      scanner = createKernelLineScanner();
      return logSizeBytes(deps.serialLog);
    },
    resumeBoot: async (logOffsetBytes) => {
      await load();
      scanner = createKernelLineScanner();
      // A log that is shorter than the offset was rotated since.
      const began = (await logSizeBytes(deps.serialLog)) >= logOffsetBytes ? logOffsetBytes : 0;
      scan((await readFrom(deps.serialLog, began)).subarray(0, limits.historyBytes));
    },
    attach,
    drained: async () => {
      const open = socket;
      if (open !== null) await new Promise<void>((resolve) => open.once('close', () => resolve()));
    },
    detach: () => void socket?.destroy(),
    end: () => {
      socket?.destroy();
      readers.endAll();
      writers.end();
    },
  };
};

async function* readConsole(
  from: {
    readonly load: () => Promise<void>;
    readonly readers: ReturnType<typeof createConsoleReaders>;
    readonly history: () => Buffer;
  },
  options: { readonly historyBytes: number; readonly signal?: AbortSignal },
): AsyncGenerator<ConsoleChunk, void, undefined> {
  await from.load();
  const history = from.history();
  const first = history.subarray(Math.max(0, history.length - options.historyBytes));
  yield* from.readers.subscribe(first, options.signal);
}

const openSerial = (deps: ConsoleDeps, signal: AbortSignal | undefined): Promise<Socket> => {
  const socket = connect({ path: deps.serialSocket });
  const expired = () =>
    deadlineExceeded('CONSOLE_NO_ANSWER', `Console of guest "${deps.name}" does not answer`);
  return within({ clock: deps.clock, limitMs: CONNECT_LIMIT_MS, signal, expired }, () => {
    const connected = Promise.withResolvers<Socket>();
    socket.once('connect', () => connected.resolve(socket));
    socket.on('error', (cause) =>
      connected.reject(
        unavailable('CONSOLE_UNREACHABLE', `Cannot reach the console of guest "${deps.name}"`, {
          metadata: { name: deps.name },
          cause,
        }),
      ),
    );
    return connected.promise;
  }).catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
};

const createWriters = (deps: ConsoleDeps, socket: () => Socket | null) => {
  let current: ((end: WriterEnd) => void) | null = null;
  const write = async (bytes: Uint8Array, signal?: AbortSignal): Promise<void> => {
    const open = socket();
    if (open === null) {
      throw failedPrecondition('GUEST_NOT_RUNNING', `Guest "${deps.name}" has no console now`, {
        metadata: { name: deps.name },
      });
    }
    const expired = () =>
      deadlineExceeded('CONSOLE_STUCK', `Guest "${deps.name}" takes no console input`);
    await within({ clock: deps.clock, limitMs: WRITE_LIMIT_MS, signal, expired }, () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      open.write(bytes, (error) => (error == null ? resolve() : reject(error)));
      return promise;
    });
  };
  const open = (by: string): ConsoleWriter => {
    const ended = Promise.withResolvers<WriterEnd>();
    let over: WriterEnd | null = null;
    const finish = (end: WriterEnd): void => {
      if (over !== null) return;
      over = end;
      if (current === finish) current = null;
      ended.resolve(end);
    };
    current?.({ why: 'taken_over', by });
    current = finish;
    return {
      write: async (bytes, signal) => {
        if (over === null) return write(bytes, signal);
        throw failedPrecondition(
          over.why === 'taken_over' ? 'CONSOLE_TAKEN_OVER' : 'CONSOLE_CLOSED',
          `Cannot write to the console of guest "${deps.name}": this writer was ${over.why}`,
          { metadata: { name: deps.name } },
        );
      },
      ended: ended.promise,
      close: () => finish({ why: 'closed' }),
    };
  };
  return { open, end: (): void => current?.({ why: 'removed' }) };
};
