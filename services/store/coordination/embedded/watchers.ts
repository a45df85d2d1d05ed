import { compacted, coordinationUnavailable } from '../failures.ts';
import type { Revision, WatchBatch, WatchEvent, WatchOptions } from '../port.ts';
import type { Records } from './records.ts';

/** Batches that a slow watcher may leave lying; beyond it, it reads on from the history. */
const PENDING_MAX = 1024;
/** Revisions that are read from the history at once. */
const HISTORY_WINDOW = 256n;

type Watcher = {
  readonly prefix: string;
  /** First revision that was not yet given to the consumer. */
  next: Revision;
  /** True while commits are put into `pending`; false while it reads the history. */
  live: boolean;
  pending: WatchBatch[];
  wake: () => void;
};

export type Watchers = {
  readonly publish: (revision: Revision, events: readonly WatchEvent[]) => void;
  readonly watch: (options: WatchOptions) => AsyncIterable<WatchBatch>;
  readonly close: () => void;
};

/** Watchers see no further than `durable`, though the records may already have more. */
export const openWatchers = (records: Records, durable: () => Revision): Watchers => {
  const watchers = new Set<Watcher>();
  let closed = false;

  const publish = (revision: Revision, events: readonly WatchEvent[]): void => {
    for (const watcher of watchers) offer(watcher, revision, events);
  };

  async function* watch({ prefix, from, signal }: WatchOptions): AsyncGenerator<WatchBatch> {
    const next = from < 1n ? 1n : from;
    const watcher: Watcher = { prefix, next, live: false, pending: [], wake: () => undefined };
    const onAbort = () => watcher.wake();
    watchers.add(watcher);
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        if (closed) throw coordinationUnavailable('The store is closed');
        const batch = watcher.pending.shift();
        if (batch !== undefined) {
          watcher.next = batch.revision + 1n;
          yield batch;
        } else if (watcher.live) {
          await woken(watcher);
        } else {
          yield* catchUp(records, watcher, durable());
        }
      }
    } finally {
      watchers.delete(watcher);
      signal.removeEventListener('abort', onAbort);
    }
  }

  return {
    publish,
    watch,
    close: () => {
      closed = true;
      for (const watcher of watchers) watcher.wake();
    },
  };
};

const offer = (watcher: Watcher, revision: Revision, events: readonly WatchEvent[]): void => {
  if (!watcher.live || revision < watcher.next) return;
  const below = events.filter((event) => keyOf(event).startsWith(watcher.prefix));
  if (below.length === 0) return;
  if (watcher.pending.length >= PENDING_MAX) {
    watcher.pending = [];
    watcher.live = false;
    return;
  }
  watcher.pending.push({ revision, events: below });
  watcher.wake();
};

/** A window of history; at its end the watcher goes live, in one turn, so that no gap opens. */
function* catchUp(records: Records, watcher: Watcher, current: Revision): Generator<WatchBatch> {
  if (watcher.next < records.marks.read('compacted')) throw compacted();
  if (watcher.next > current) {
    watcher.live = true;
    if (watcher.next === current + 1n) yield { revision: current, events: [] };
    return;
  }
  const last = watcher.next + HISTORY_WINDOW - 1n;
  const end = (last < current ? last : current) + 1n;
  for (const batch of records.changes(watcher.prefix, watcher.next, end)) {
    watcher.next = batch.revision + 1n;
    yield batch;
  }
  watcher.next = end;
}

const woken = (watcher: Watcher): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  watcher.wake = resolve;
  return promise;
};

const keyOf = (event: WatchEvent): string => (event.kind === 'put' ? event.at.key : event.key);
