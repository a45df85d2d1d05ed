/**
 * Brings events to their sinks, one after the other in the order of the change feed. One replica at
 * a time works for a sink, by a lease on its row; the row also says how far it came, so that a
 * restart loses nothing. An event that was delivered just before a crash may come once more: its
 * uid tells. The events in SQL are the queue; memory holds a few of them.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { EventRecord } from '../domain/event.ts';
import { dueOf, keepSome, type SetAside, setAside } from '../domain/set-aside.ts';
import {
  type Backoff,
  type Delivery,
  doneKey,
  REFUSALS_MAX,
  retryPauseMs,
  type Sink,
  type SinkCursor,
  wantsType,
} from '../domain/sink.ts';
import type { Records } from '../ports.ts';
import { createSinkTurn, type SinkTurn } from './sink-turn.ts';

export type EventSinkDeps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'events' | 'sinks'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Unique for each start of a replica. */
  readonly owner: string;
  readonly leaseMs: number;
  /** Pause between two looks for new events. */
  readonly idleMs: number;
  readonly backoff: Backoff;
};

const EVENTS = 50;
/** Of what was set aside so many are tried between two looks at the feed. */
const AGAIN = 10;
/** Recorded at the same time may become visible one after the other. */
const OVERLAP_MS = 60_000;

/** Works until the signal aborts. */
export const workForSink = async (
  deps: EventSinkDeps,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> => {
  while (!signal.aborted) {
    const turn = createSinkTurn(deps, sink.key);
    try {
      const cursor = await turn.begin();
      if (cursor !== undefined) await deliverAll(deps, { sink, turn, signal }, cursor);
    } catch (error) {
      if (!signal.aborted) {
        deps.log.warn({ err: error, sink: sink.key }, 'events cannot be delivered now');
      }
    } finally {
      await turn.end().catch(() => undefined);
    }
    await deps.clock.sleep(deps.idleMs, signal).catch(() => undefined);
  }
};

type Work = { readonly sink: Sink; readonly turn: SinkTurn; readonly signal: AbortSignal };

/** Ends when the lease is lost. */
const deliverAll = async (deps: EventSinkDeps, work: Work, begun: SinkCursor): Promise<void> => {
  const { turn, signal } = work;
  let cursor = begun;
  while (!signal.aborted) {
    const tried = await tryAgain(deps, work, cursor);
    if (tried === undefined) return;
    cursor = tried;
    const batch = await nextBatch(deps, cursor);
    if (batch === undefined) {
      const caughtUp = await catchUp(deps, work, cursor);
      if (caughtUp === undefined) return;
      cursor = caughtUp;
      continue;
    }
    const events = await deps.store.read((reader) =>
      deps.records.events.inOrder(reader, batch.uids),
    );
    const delivered = await deliverSome(deps, work, { cursor, events });
    if (delivered === undefined) return;
    const next = { ...delivered, token: batch.token, done: [] };
    if (!(await turn.save(next, events.length > 0))) return;
    cursor = next;
    if (!batch.more) await deps.clock.sleep(deps.idleMs, signal).catch(() => undefined);
  }
};

/** Undefined: the token is older than what the feed keeps. */
const nextBatch = async (deps: EventSinkDeps, { token }: SinkCursor) => {
  try {
    const found = await deps.store.changes.read({ token, kinds: ['event'], limit: EVENTS });
    return { ...found, uids: found.changes.map(({ uid }) => uid) };
  } catch (error) {
    if (isDomainError(error, 'out_of_range')) return undefined;
    throw error;
  }
};

/** From the events themselves, which are kept far longer than the feed; some may come twice. */
const catchUp = async (
  deps: EventSinkDeps,
  work: Work,
  begun: SinkCursor,
): Promise<SinkCursor | undefined> => {
  deps.log.warn({ sink: work.sink.key }, 'a sink that lags far behind catches up');
  const token = await deps.store.changes.head();
  const recordMs = begun.recordMs - OVERLAP_MS;
  let cursor = begun;
  for (let afterId = 0; ; ) {
    const asked = { recordMs, afterId, limit: EVENTS };
    const rows = await deps.store.read((reader) => deps.records.events.since(reader, asked));
    const events = rows.map(({ event }) => event);
    const delivered = await deliverSome(deps, work, { cursor, events });
    if (delivered === undefined) return undefined;
    const isLast = rows.length < EVENTS;
    cursor = { ...delivered, done: [], ...(isLast && { token }) };
    if (!(await work.turn.save(cursor, true))) return undefined;
    if (isLast) return cursor;
    afterId = rows.at(-1)?.id ?? 0;
  }
};

type Some = { readonly cursor: SinkCursor; readonly events: readonly EventRecord[] };

/** Undefined: the lease was lost or the process ends. */
const deliverSome = async (
  deps: EventSinkDeps,
  work: Work,
  { cursor: begun, events }: Some,
): Promise<SinkCursor | undefined> => {
  const { sink, turn, signal } = work;
  let cursor = begun;
  for (const event of events) {
    if (!wantsType(sink.types, event.type)) {
      cursor = { ...cursor, recordMs: event.recordMs };
      continue;
    }
    const recipients = await recipientsOf(deps, work, event);
    for (const recipient of recipients ?? []) {
      const key = doneKey(event, recipient);
      if (cursor.done.includes(key)) continue;
      const end = await deliverOne(deps, work, { event, recipient });
      if (end === undefined) return undefined;
      cursor = { ...cursor, done: [...cursor.done, key], recordMs: event.recordMs };
      if (end === 'set_aside') cursor = put(deps, sink, { cursor, event, recipient });
      if (!(await turn.save(cursor, true))) return undefined;
    }
    if (recipients === undefined || signal.aborted) return undefined;
  }
  return cursor;
};

/** Asked until there is an answer; undefined: the lease was lost or the process ends. */
const recipientsOf = async (
  deps: EventSinkDeps,
  { sink, turn, signal }: Work,
  event: EventRecord,
): Promise<readonly string[] | undefined> => {
  for (let failures = 1; ; failures += 1) {
    try {
      return await sink.recipients(event, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (failures === 1)
        deps.log.warn({ err: error, sink: sink.key }, 'nobody knows whom to tell');
      const pauseMs = retryPauseMs(deps.backoff, failures, { chance: deps.random.fraction() });
      if (!(await turn.pause(pauseMs, signal))) return undefined;
    }
  }
};

type One = { readonly event: EventRecord; readonly recipient: string };

/** Minutes where a server is asked again after seconds: mailboxes that greylist want that. */
const asideBackoff = ({ firstMs, longestMs }: Backoff): Backoff => ({
  firstMs: firstMs * 60,
  longestMs: longestMs * 6,
});

type Put = One & { readonly cursor: SinkCursor; readonly before?: SetAside };

const put = (deps: EventSinkDeps, sink: Sink, { cursor, event, recipient, before }: Put) => {
  const nowMs = deps.clock.now().getTime();
  const letter = { eventUid: event.uid, recipient };
  const pauseMs = retryPauseMs(asideBackoff(deps.backoff), (before?.tries ?? 0) + 1, {
    chance: deps.random.fraction(),
  });
  const later = setAside(letter, before, { nowMs, pauseMs });
  const others = cursor.waiting.filter((one) => one !== before);
  const { kept, dropped } = keepSome([...others, later], nowMs);
  for (const { eventUid } of dropped) {
    deps.log.error({ sink: sink.key, event: eventUid }, 'event waited too long and is left out');
  }
  return { ...cursor, waiting: kept };
};

/** What was set aside and is due gets one try each. Undefined: the lease was lost. */
const tryAgain = async (
  deps: EventSinkDeps,
  { sink, turn }: Work,
  begun: SinkCursor,
): Promise<SinkCursor | undefined> => {
  const due = dueOf(begun.waiting, deps.clock.now().getTime(), AGAIN);
  if (due.length === 0) return begun;
  const uids = [...new Set(due.map(({ eventUid }) => eventUid))];
  const events = await deps.store.read((reader) => deps.records.events.inOrder(reader, uids));
  const byUid = new Map(events.map((event) => [event.uid, event]));
  let cursor = begun;
  for (const before of due) {
    const { eventUid, recipient } = before;
    const event = byUid.get(eventUid);
    if (!(await turn.isMine())) return undefined;
    const delivery: Delivery =
      event === undefined ? { kind: 'taken' } : await sink.deliver(event, recipient);
    if (event !== undefined && (delivery.kind === 'later' || delivery.kind === 'set_aside')) {
      cursor = put(deps, sink, { cursor, event, recipient, before });
    } else {
      cursor = { ...cursor, waiting: cursor.waiting.filter((one) => one !== before) };
      if (delivery.kind === 'refused') leaveOut(deps, sink, { eventUid, why: delivery.why });
    }
    if (!(await turn.save(cursor, true))) return undefined;
  }
  return cursor;
};

const leaveOut = (
  { log }: EventSinkDeps,
  { key }: Sink,
  { eventUid, why }: { readonly eventUid: string; readonly why: string },
): void => {
  log.error({ sink: key, event: eventUid, why }, 'event was refused and is left out');
};

/** Undefined: the lease was lost or the process ends. */
const deliverOne = async (
  deps: EventSinkDeps,
  { sink, turn, signal }: Work,
  { event, recipient }: One,
): Promise<'over' | 'set_aside' | undefined> => {
  const about = { sink: sink.key, event: event.uid, type: event.type };
  let refusals = 0;
  for (let failures = 1; ; failures += 1) {
    if (signal.aborted || !(await turn.isMine())) return undefined;
    const delivery = await sink.deliver(event, recipient);
    if (delivery.kind === 'taken') return 'over';
    const { why } = delivery;
    if (delivery.kind === 'set_aside') {
      deps.log.warn({ ...about, why }, 'event is set aside for one recipient');
      return 'set_aside';
    }
    if (delivery.kind === 'refused') refusals += 1;
    if (refusals >= REFUSALS_MAX) {
      leaveOut(deps, sink, { eventUid: event.uid, why });
      return 'over';
    }
    if (failures === 1) deps.log.warn({ ...about, why }, 'event is delivered later');
    const asked = delivery.kind === 'later' ? delivery : {};
    const pauseMs = retryPauseMs(deps.backoff, failures, {
      ...asked,
      chance: deps.random.fraction(),
    });
    if (!(await turn.pause(pauseMs, signal))) return undefined;
  }
};
