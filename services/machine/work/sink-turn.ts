/** The lease of a replica on a sink. */
import type { Clock } from '../../runtime/clock.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { SinkCursor } from '../domain/sink.ts';
import type { Records } from '../ports.ts';

export type SinkTurn = {
  /** Undefined: another replica works for it. A new sink begins with what happens from now on. */
  readonly begin: () => Promise<SinkCursor | undefined>;
  /**
   * Writes how far it came and extends the lease; without `isNews` only when the lease wants it.
   * False: the lease was lost.
   */
  readonly save: (cursor: SinkCursor, isNews: boolean) => Promise<boolean>;
  /** Extends the lease where a try could outlast it. False: it was lost. */
  readonly isMine: () => Promise<boolean>;
  /** Waits while it keeps the lease. False: the lease was lost or the signal aborted. */
  readonly pause: (pauseMs: number, signal: AbortSignal) => Promise<boolean>;
  /** Lets another replica begin at once. */
  readonly end: () => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'sinks'>;
  readonly clock: Clock;
  readonly owner: string;
  readonly leaseMs: number;
};

const ACTOR = { principal: 'services/machine', requestId: 'event sinks' };

export const createSinkTurn = (deps: Deps, sink: string): SinkTurn => {
  const { store, records, clock, owner, leaseMs } = deps;
  let last: SinkCursor | undefined;
  /** By the monotonic clock, from before the lease was asked for. */
  let endMs = 0;
  const renewal = () => {
    const nowMs = clock.now().getTime();
    return { sink, owner, nowMs, untilMs: nowMs + leaseMs, endMs: clock.monotonicMs() + leaseMs };
  };
  const write = async (cursor: SinkCursor): Promise<boolean> => {
    // One that slept past its lease has lost it, whether or not another has come.
    if (clock.monotonicMs() >= endMs) return false;
    const asked = renewal();
    const isSaved = await store.transaction(undefined, ACTOR, (tx) =>
      records.sinks.save(tx, { ...asked, cursor }),
    );
    if (isSaved) endMs = asked.endMs;
    last = cursor;
    return isSaved;
  };
  const isFresh = (): boolean => clock.monotonicMs() < endMs - (leaseMs * 2) / 3;
  const isMine = async (): Promise<boolean> =>
    last !== undefined && (isFresh() || (await write(last)));
  return {
    begin: async () => {
      const asked = renewal();
      const token = await store.changes.head();
      const first = { token, done: [], waiting: [], recordMs: asked.nowMs };
      last = await store.transaction(undefined, ACTOR, (tx) =>
        records.sinks.hold(tx, { ...asked, first }),
      );
      endMs = asked.endMs;
      return last;
    },
    save: async (cursor, isNews) => {
      if (isNews || !isFresh()) return write(cursor);
      last = cursor;
      return true;
    },
    isMine,
    pause: async (pauseMs, signal) => {
      const overMs = clock.monotonicMs() + pauseMs;
      while (!signal.aborted) {
        const restMs = overMs - clock.monotonicMs();
        if (restMs <= 0) return isMine();
        await clock.sleep(Math.min(restMs, leaseMs / 3), signal).catch(() => undefined);
        if (!(await isMine())) return false;
      }
      return false;
    },
    end: async () => {
      if (last === undefined) return;
      await store.transaction(undefined, ACTOR, (tx) => records.sinks.release(tx, { sink, owner }));
    },
  };
};
