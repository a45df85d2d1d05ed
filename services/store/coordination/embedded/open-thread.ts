/**
 * The embedded coordinator in a thread of its own: what it costs to store, to sync and to copy the
 * journal to the file is not taken from the thread that serves. Callers notice nothing of it.
 *
 * When the thread ends by itself (its file could not be synced, or a bug), whoever waited is told
 * that the outcome is not known, and the file is opened anew until that succeeds. What it has then
 * is durable, so all is well again without a restart of the process.
 */
import { type Clock, OVER } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { Random } from '../../../runtime/random.ts';
import { coordinationUnavailable } from '../failures.ts';
import type { Coordination, Lease, WatchBatch, WatchOptions } from '../port.ts';
import { backOff, slept } from '../waiting.ts';
import { packWrites, unpackKeys } from './packed.ts';
import { type Answer, type Asked, openThread, type Thread } from './thread-link.ts';
import type { HeldId, Verb } from './thread-messages.ts';

export type ThreadOptions = {
  /** SQLite file of its own, created when missing. */
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Logger, 'error' | 'info'>;
  /** What the thread runs; absent = thread.ts. Tests let its disk fail. */
  readonly program?: URL;
};

/** A thread that lived so long was well: the next one is not made to wait longer than the first. */
const STEADY_MS = 60_000;

/**
 * Everything that shares the store shares the answered object. Errors: failed_precondition
 * STORE_IN_USE when somebody has the file open.
 */
export const openCoordinationThread = async (options: ThreadOptions): Promise<Coordination> => {
  const { clock, random, log, file } = options;
  const program = options.program ?? new URL('./thread.ts', import.meta.url);
  const start = (): Promise<Thread> => openThread({ file, program, log });
  const closing = new AbortController();
  let current: Thread | undefined = await start();

  const thread = (): Thread => {
    if (closing.signal.aborted) throw coordinationUnavailable('The store is closed');
    if (current === undefined) throw coordinationUnavailable('The store is being opened anew');
    return current;
  };
  const pause = backOff(random, { firstMs: 100, mostMs: 10_000 });
  const startAgain = async (): Promise<Thread | undefined> => {
    while (await slept(clock, pause.nextMs(), closing.signal)) {
      try {
        return await start();
      } catch (err) {
        log.error({ err, file }, 'the store cannot be opened anew');
      }
    }
    return undefined;
  };
  const keepRunning = async (): Promise<void> => {
    while (current !== undefined) {
      const startedMs = clock.monotonicMs();
      await current.ended;
      current = undefined;
      if (clock.monotonicMs() - startedMs > STEADY_MS) pause.reset();
      if (closing.signal.aborted) return;
      log.error({ file }, 'the thread of the store has ended and is started again');
      const started = await startAgain();
      if (closing.signal.aborted) return started?.close();
      current = started;
      log.info({ file }, 'the store is open again');
    }
  };
  const running = keepRunning();
  const close = async (): Promise<void> => {
    closing.abort(OVER);
    await current?.close();
    await running;
  };
  let closed: Promise<void> | undefined;

  return {
    ...callsTo(thread),
    watch: (watched) => watch(thread, watched),
    close: () => {
      closed ??= close();
      return closed;
    },
  };
};

const callsTo = (thread: () => Thread): Omit<Coordination, 'watch' | 'close'> => {
  const ask = async <V extends Verb>(asked: Asked<V>, signal: AbortSignal): Answer<V> =>
    thread().call(asked, signal);
  const leaseOf = (asked: HeldId): Lease => ({
    ...asked,
    keepAlive: (signal) => ask({ verb: 'keepAlive', asked }, signal),
    revoke: (signal) => ask({ verb: 'revoke', asked }, signal),
  });
  return {
    get: async (key, signal) => unpackKeys(await ask({ verb: 'get', asked: { key } }, signal))[0],
    range: async (asked, signal) => {
      const { keys, ...rest } = await ask({ verb: 'range', asked }, signal);
      return { ...rest, keys: unpackKeys(keys) };
    },
    transact: async ({ compare, writes }, signal) => {
      const packed = packWrites(writes);
      const asked = { compare, writes: packed };
      return ask({ verb: 'transact', asked, owned: [packed.bytes.buffer] }, signal);
    },
    grantLease: async (ttlMs, signal) =>
      leaseOf(await ask({ verb: 'grantLease', asked: { ttlMs } }, signal)),
    compact: (revision, signal) => ask({ verb: 'compact', asked: { revision } }, signal),
    ping: (signal) => ask({ verb: 'ping', asked: {} }, signal),
  };
};

async function* watch(
  thread: () => Thread,
  { prefix, from, signal }: WatchOptions,
): AsyncGenerator<WatchBatch> {
  if (signal.aborted) return;
  using batches = thread().watch(prefix, from);
  const onAbort = (): void => batches.wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      const batch = batches.shift();
      if (batch !== undefined) yield batch;
      else await batches.more();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
