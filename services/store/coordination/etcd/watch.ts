import { Duplex } from 'node:stream';
import type { IEvent, IWatchResponse } from 'etcd3';
import type { Logger } from 'pino';
import type { Clock } from '../../../runtime/clock.ts';
import { isDomainError } from '../../../runtime/errors.ts';
import type { Random } from '../../../runtime/random.ts';
import { compacted, coordinationUnavailable } from '../failures.ts';
import type { Revision, WatchBatch, WatchOptions } from '../port.ts';
import { abortable, backOff, deadlineAfter, slept } from '../waiting.ts';
import { isCompacted, isFuture } from './failure.ts';
import type { Member, Members } from './members.ts';
import type { Messages } from './messages.ts';

export type WatchDeps = {
  readonly members: Members;
  readonly messages: Messages;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly callTimeoutMs: number;
  /** Aborts when the store is closed. */
  readonly closed: AbortSignal;
};

/**
 * A watch on the raw stream, one stream each. etcd3's own watcher resumes after the newest store
 * revision it has heard of, also the one in the answer to "create" and in batches of a catch-up
 * that has more to come: a connection that breaks then loses events. Ours resumes after the last
 * revision that was delivered whole.
 */
export async function* watch(deps: WatchDeps, options: WatchOptions): AsyncGenerator<WatchBatch> {
  const { clock, closed, log } = deps;
  const { prefix } = options;
  const signal = AbortSignal.any([options.signal, closed]);
  const pause = backOff(deps.random, { firstMs: 50, mostMs: 2000 });
  let next = options.from < 1n ? 1n : options.from;
  while (!signal.aborted) {
    try {
      for await (const batch of watchOnce(deps, { prefix, from: next, signal })) {
        pause.reset();
        next = batch.revision + 1n;
        yield batch;
      }
    } catch (error) {
      if (isDomainError(error, 'out_of_range')) throw error;
      if (!signal.aborted) log.debug({ err: error, prefix, next }, 'watch interrupted');
    }
    await slept(clock, pause.nextMs(), signal);
  }
  if (!options.signal.aborted) throw coordinationUnavailable('The store is closed');
}

/** One stream, until it breaks (throws), etcd ends it, or the signal aborts. */
async function* watchOnce(deps: WatchDeps, options: WatchOptions): AsyncGenerator<WatchBatch> {
  const { members, messages } = deps;
  const { prefix, from, signal } = options;
  const member = await members.forStream(signal);
  const stream = await openStream(member, signal);
  // Ending before cancelling tells etcd3 that the host is not to blame.
  const cancel = () => {
    stream.end();
    stream.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    stream.write({
      create_request: {
        ...messages.span(prefix),
        start_revision: String(from),
        progress_notify: true,
        fragment: true,
      },
    });
    yield* readBatches(deps, options, stream);
    throw coordinationUnavailable('etcd ended the watch stream');
  } catch (error) {
    members.avoid(member, error);
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

async function* readBatches(
  deps: WatchDeps,
  { from, signal }: WatchOptions,
  stream: AsyncIterable<IWatchResponse>,
): AsyncGenerator<WatchBatch> {
  let events: IEvent[] = [];
  const responses = stream[Symbol.asyncIterator]();
  await untilCreated(deps, responses, signal);
  // etcd serves a watch from exactly the compacted revision though its deletes are gone.
  await assertStored(deps, from - 1n, signal);
  for (;;) {
    const { value: response, done } = await responses.next();
    if (done) return;
    assertNotCanceled(response);
    events = events.concat(response.events);
    // The events of one revision may be spread over fragments; the last one may be incomplete.
    const whole = response.fragment ? countWholeRevisions(events) : events.length;
    yield* toBatches(deps.messages, events.slice(0, whole));
    events = events.slice(whole);
    if (response.events.length === 0 && !response.created)
      yield { revision: BigInt(response.header.revision), events: [] };
  }
}

const openStream = async ({ client, options }: Member, signal: AbortSignal) => {
  const stream = await abortable(client.watchClient.watch(options), signal);
  // An 'error' event nobody listens to would end the process.
  stream.on('error', () => undefined);
  if (!(stream instanceof Duplex)) throw new Error('grpc-js streams are Node streams');
  return stream;
};

const untilCreated = async (
  { clock, callTimeoutMs }: WatchDeps,
  responses: AsyncIterator<IWatchResponse>,
  signal: AbortSignal,
): Promise<void> => {
  using limit = deadlineAfter(clock, callTimeoutMs, signal);
  const { value, done } = await abortable(responses.next(), limit.signal);
  if (done) throw coordinationUnavailable('etcd ended the watch stream');
  assertNotCanceled(value);
};

const assertNotCanceled = (response: IWatchResponse): void => {
  if (!response.canceled) return;
  // The reason is empty for a compacted start; only the revision tells.
  if (response.compact_revision !== '0') throw compacted();
  throw coordinationUnavailable(`etcd cancelled the watch: ${JSON.stringify(response)}`);
};

/** Throws COMPACTED when the history up to and with `revision` is no longer whole. */
const assertStored = async (
  { members, messages }: WatchDeps,
  revision: Revision,
  signal: AbortSignal,
): Promise<void> => {
  const request = {
    key: messages.key('-'),
    keys_only: true,
    revision: String(revision < 1n ? 1n : revision),
  };
  try {
    await members.ask(signal, ({ client, options }) => client.kv.range(request, options));
  } catch (error) {
    if (isCompacted(error)) throw compacted(error);
    if (!isFuture(error)) throw error;
  }
};

const countWholeRevisions = (events: readonly IEvent[]): number => {
  const last = events.at(-1)?.kv.mod_revision;
  return events.findIndex((event) => event.kv.mod_revision === last);
};

function* toBatches(messages: Messages, events: readonly IEvent[]): Generator<WatchBatch> {
  for (let start = 0; start < events.length; ) {
    const revision = events[start]?.kv.mod_revision ?? '0';
    let end = start;
    while (events[end]?.kv.mod_revision === revision) end += 1;
    yield { revision: BigInt(revision), events: events.slice(start, end).map(messages.event) };
    start = end;
  }
}
