/** The side of the thread: does what open-thread.ts asks for. */
import assert from 'node:assert/strict';
import { parentPort, type Transferable, workerData } from 'node:worker_threads';
import { OVER, systemClock } from '../../../runtime/clock.ts';
import { systemRandom } from '../../../runtime/random.ts';
import type { Sync } from './journal.ts';
import { type EmbeddedCoordination, openEmbeddedCoordination } from './open.ts';
import { packEvents, packKeys, unpackWrites } from './packed.ts';
import {
  BATCHES_MAX,
  type Call,
  type Calls,
  type FromThread,
  plain,
  type ToThread,
  toSent,
  type Verb,
} from './thread-messages.ts';

export type ServeOptions = {
  /** Absent = as the kernel does it. */
  readonly sync?: Sync;
};

export const serveCoordination = ({ sync }: ServeOptions): void => {
  try {
    const store = openEmbeddedCoordination({
      file: String(workerData.file),
      clock: systemClock,
      random: systemRandom,
      log: {
        error: ({ err, ...data }, message) =>
          post({ kind: 'log', data: { ...data, err: plain(err) }, message }),
      },
      ...(sync === undefined ? {} : { sync }),
      // What it last said is on its way first.
      onBroken: () => void setImmediate(end),
    });
    serve(store);
    post({ kind: 'open' });
  } catch (error) {
    post({ kind: 'cannot-open', error: toSent(error) });
    end();
  }
};

/** Of this thread alone. What was posted before is delivered. */
const end = (): void => process.exit(0);

const post = (message: FromThread, owned: Transferable[] = []): void => {
  assert(parentPort !== null);
  parentPort.postMessage(message, owned);
};

/** What goes on for somebody. */
type Doing = { readonly ended: AbortController; readonly taken: (batches: number) => void };

const serve = (store: EmbeddedCoordination): void => {
  const doing = new Map<number, Doing>();
  const begin = (id: number, taken: Doing['taken'] = () => undefined): AbortSignal => {
    const ended = new AbortController();
    doing.set(id, { ended, taken });
    return ended.signal;
  };
  const answer = async (id: number, call: Call): Promise<void> => {
    const signal = begin(id);
    try {
      const value = await answerTo(store, call, signal);
      post({ kind: 'answer', id, answer: value }, buffersOf(value));
    } catch (error) {
      post({ kind: 'refusal', id, error: toSent(error) });
    }
    doing.delete(id);
    if (call.verb === 'close') end();
  };
  const watch = async ({ id, prefix, from }: ToThread & { kind: 'watch' }): Promise<void> => {
    let waiting = 0;
    let wake = (): void => undefined;
    const signal = begin(id, (batches) => {
      waiting -= batches;
      wake();
    });
    signal.addEventListener('abort', () => wake());
    let error: unknown;
    try {
      for await (const { revision, events } of store.watch({ prefix, from, signal })) {
        const packed = packEvents(events);
        post({ kind: 'batch', id, revision, events: packed }, [packed.bytes.buffer]);
        waiting += 1;
        while (waiting >= BATCHES_MAX && !signal.aborted) {
          const woken = Promise.withResolvers<void>();
          wake = woken.resolve;
          await woken.promise;
        }
      }
    } catch (caught) {
      error = caught;
    }
    doing.delete(id);
    post({ kind: 'end', id, error: error === undefined ? undefined : toSent(error) });
  };

  parentPort?.on('message', (message: ToThread) => {
    switch (message.kind) {
      case 'call':
        void answer(message.id, message.call);
        return;
      case 'watch':
        void watch(message);
        return;
      case 'taken':
        doing.get(message.id)?.taken(message.batches);
        return;
      case 'over':
        doing.get(message.id)?.ended.abort(OVER);
    }
  });
};

const answerTo = async (
  store: EmbeddedCoordination,
  { verb, asked }: Call,
  signal: AbortSignal,
): Promise<Calls[Verb]['answer']> => {
  switch (verb) {
    case 'get': {
      const found = await store.get(asked.key, signal);
      return packKeys(found === undefined ? [] : [found]);
    }
    case 'range': {
      const { keys, ...rest } = await store.range(asked, signal);
      return { ...rest, keys: packKeys(keys) };
    }
    case 'transact': {
      const { compare, writes } = asked;
      return store.transact({ compare, writes: unpackWrites(writes) }, signal);
    }
    case 'grantLease': {
      const { id, ttlMs } = await store.grantLease(asked.ttlMs, signal);
      return { id, ttlMs };
    }
    case 'keepAlive':
      await store.leaseOf(asked.id, asked.ttlMs).keepAlive(signal);
      return undefined;
    case 'revoke':
      await store.leaseOf(asked.id, asked.ttlMs).revoke(signal);
      return undefined;
    case 'compact':
      await store.compact(asked.revision, signal);
      return undefined;
    case 'ping':
      await store.ping(signal);
      return undefined;
    case 'close':
      await store.close();
      return undefined;
  }
};

const buffersOf = (answer: Calls[Verb]['answer']): Transferable[] => {
  if (answer === undefined) return [];
  if ('bytes' in answer) return [answer.bytes.buffer];
  return 'keys' in answer ? [answer.keys.bytes.buffer] : [];
};
