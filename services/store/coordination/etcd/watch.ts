import type { Logger } from 'pino';
import type { Clock } from '../../../runtime/clock.ts';
import { isDomainError } from '../../../runtime/errors.ts';
import type { Random } from '../../../runtime/random.ts';
import { compacted, coordinationUnavailable } from '../failures.ts';
import type { Revision, WatchBatch, WatchEvent, WatchOptions } from '../port.ts';
import { abortable, backOff, deadlineAfter, slept } from '../waiting.ts';
import { isCompacted, isFuture } from './failure.ts';
import type { Members } from './members.ts';
import type { Messages } from './messages.ts';
import { callWatch, type WatchAnswer } from './watch-call.ts';

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
  const stream = callWatch(member, messages);
  // An 'error' event nobody listens to would end the process.
  stream.on('error', () => undefined);
  const cancel = () => {
    stream.end();
    stream.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    stream.write({ ...messages.span(prefix), from });
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
  stream: AsyncIterable<WatchAnswer>,
): AsyncGenerator<WatchBatch> {
  let events: WatchEvent[] = [];
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
    const whole = response.isFragment ? countWholeRevisions(events) : events.length;
    yield* toBatches(events.slice(0, whole));
    events = events.slice(whole);
    if (response.events.length === 0 && !response.isCreated)
      yield { revision: response.revision, events: [] };
  }
}

const untilCreated = async (
  { clock, callTimeoutMs }: WatchDeps,
  responses: AsyncIterator<WatchAnswer>,
  signal: AbortSignal,
): Promise<void> => {
  using limit = deadlineAfter(clock, callTimeoutMs, signal);
  const { value, done } = await abortable(responses.next(), limit.signal);
  if (done) throw coordinationUnavailable('etcd ended the watch stream');
  assertNotCanceled(value);
};

const assertNotCanceled = ({ isCanceled, compactRevision, reason }: WatchAnswer): void => {
  if (!isCanceled) return;
  // The reason is empty for a compacted start; only the revision tells.
  if (compactRevision !== 0n) throw compacted();
  throw coordinationUnavailable(`etcd cancelled the watch: ${JSON.stringify(reason)}`);
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

const revisionIn = (event: WatchEvent | undefined): Revision | undefined =>
  event?.kind === 'put' ? event.at.modRevision : event?.modRevision;

const countWholeRevisions = (events: readonly WatchEvent[]): number => {
  const last = revisionIn(events.at(-1));
  return events.findIndex((event) => revisionIn(event) === last);
};

function* toBatches(events: readonly WatchEvent[]): Generator<WatchBatch> {
  for (let start = 0; start < events.length; ) {
    const revision = revisionIn(events[start]) ?? 0n;
    let end = start;
    while (revisionIn(events[end]) === revision) end += 1;
    yield { revision, events: events.slice(start, end) };
    start = end;
  }
}
