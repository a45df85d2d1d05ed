import type { Clock } from '../../runtime/clock.ts';
import { type DomainError, isDomainError, unavailable } from '../../runtime/errors.ts';
import type { ChangeBatch, FeedReader } from './change-feed.ts';
import type { FeedPosition } from './change-token.ts';
import { createFollower, type Delivery, type Follower } from './follower.ts';
import type { StoreLimits } from './limits.ts';
import type { StoreLog } from './store-log.ts';

/**
 * One poller per store, whatever the number of followers. It reads when nudged (a commit here, a
 * NOTIFY from another replica), soon again while an open transaction holds committed changes back,
 * and slowly otherwise. It runs while somebody follows.
 */
export type FollowOptions = {
  /** Where to continue. */
  readonly token: string;
  /** Undefined = all kinds. */
  readonly kinds?: readonly string[];
  readonly signal: AbortSignal;
};

export type ChangePoller = {
  /** Something may have been committed. Cheap; many nudges make one poll. */
  readonly nudge: () => void;
  /**
   * Changes behind the token, then new ones as they come, until the signal aborts (then it
   * returns). An empty batch is a bookmark. Errors: out_of_range RESUME_TOKEN_EXPIRED,
   * resource_exhausted SLOW_WATCHER, and unavailable while it catches up and the database is away;
   * once it has caught up it waits for the database.
   */
  readonly follow: (options: FollowOptions) => AsyncGenerator<ChangeBatch, void, void>;
  readonly close: () => Promise<void>;
};

type PollerDeps = {
  readonly reader: FeedReader;
  readonly clock: Clock;
  readonly limits: StoreLimits;
  readonly log: StoreLog;
  /** Called when the first follower comes; the returned function when the last has gone. */
  readonly onDemand: () => () => void;
};

const PAGE = 1_000;
/**
 * A follower joins the others when its last read brought no more than this, and it was not slow to
 * take it.
 */
const JOIN_CHANGES_MAX = 100;
const JOIN_MS_MAX = 100;
/** A burst of commits makes one poll per this time instead of one per commit. */
const NUDGE_GAP_MS = 5;
const HELD_PAUSE_MS = 5;
const HELD_PAUSE_MS_MAX = 200;

export const createChangePoller = (deps: PollerDeps): ChangePoller => {
  const { reader, limits } = deps;
  const hub = createHub(deps);
  return {
    nudge: hub.nudge,
    close: hub.close,
    follow: async function* ({ token, kinds, signal }) {
      const caughtUp = yield* catchUp(deps, { token, kinds, signal });
      if (caughtUp === undefined) {
        return;
      }
      const follower = createFollower(caughtUp, kinds, limits.followerChangesMax);
      await hub.join(follower, kinds);
      try {
        while (!signal.aborted) {
          const next = follower.take();
          if (next !== undefined) {
            yield batchOf(reader, next);
          } else if ((await waitFor(deps, follower, signal)) === 'bookmark') {
            yield batchOf(reader, { changes: [], position: follower.position() });
          }
        }
      } finally {
        hub.leave(follower);
      }
    },
  };
};

const batchOf = (reader: FeedReader, { changes, position }: Delivery): ChangeBatch => ({
  changes,
  token: reader.encode(position),
});

type CatchUp = {
  readonly token: string;
  readonly kinds: readonly string[] | undefined;
  readonly signal: AbortSignal;
};

/** Reads alone until little can be left, so that joining, which holds up the poller, is short. */
async function* catchUp(
  { reader, clock }: PollerDeps,
  { token, kinds, signal }: CatchUp,
): AsyncGenerator<ChangeBatch, FeedPosition | undefined, void> {
  let position = reader.decode(token);
  while (!signal.aborted) {
    const page = await reader.read({ position, kinds, limit: PAGE });
    position = page.position;
    const readMs = clock.monotonicMs();
    if (page.changes.length > 0) {
      yield batchOf(reader, page);
    }
    const isRecent = clock.monotonicMs() - readMs <= JOIN_MS_MAX;
    if (page.atBoundary && page.changes.length <= JOIN_CHANGES_MAX && isRecent) {
      return position;
    }
  }
  return undefined;
}

const waitFor = async (
  { clock, limits }: PollerDeps,
  follower: Follower,
  signal: AbortSignal,
): Promise<'ready' | 'bookmark'> => {
  const done = new AbortController();
  const limit = AbortSignal.any([done.signal, signal]);
  try {
    return await Promise.race([
      follower.wait().then(() => 'ready' as const),
      clock.sleep(limits.bookmarkMs, limit).then(
        () => 'bookmark' as const,
        () => 'ready' as const,
      ),
    ]);
  } finally {
    done.abort();
  }
};

type PollOutcome = 'held' | 'done' | { readonly away: DomainError };

type Hub = {
  readonly nudge: () => void;
  readonly join: (follower: Follower, kinds: readonly string[] | undefined) => Promise<void>;
  readonly leave: (follower: Follower) => void;
  readonly close: () => Promise<void>;
};

const createHub = (deps: PollerDeps): Hub => {
  const { reader, log, limits } = deps;
  const followers = new Set<Follower>();
  const exclusive = createExclusive();
  const closing = new AbortController();
  let at: FeedPosition | undefined;
  let bell = Promise.withResolvers<void>();
  let running: Promise<void> | undefined;
  let endDemand: (() => void) | undefined;

  /**
   * Delivers everything up to the horizon of now; true when committed changes are still held back.
   */
  const poll = async (): Promise<boolean> => {
    for (;;) {
      at ??= await reader.head();
      const page = await reader.read({ position: at, kinds: undefined, limit: PAGE });
      at = page.position;
      for (const follower of followers) {
        if (!follower.offer(page.changes, page.position)) {
          followers.delete(follower);
        }
      }
      if (page.atBoundary) {
        return page.held;
      }
    }
  };
  const failAll = (error: unknown): void => {
    for (const follower of followers) {
      follower.fail(error);
    }
    followers.clear();
  };
  /** A token that expired under us is every follower's; a database that is away is waited for. */
  const pollOrFail = async (): Promise<PollOutcome> => {
    try {
      return (await poll()) ? 'held' : 'done';
    } catch (error) {
      if (isDomainError(error, 'unavailable')) {
        return { away: error };
      }
      log.error({ err: error }, 'change feed failed; its followers start over');
      failAll(error);
      return 'done';
    }
  };
  const run = async (): Promise<void> => {
    let heldPauseMs = HELD_PAUSE_MS;
    let away = false;
    while (followers.size > 0 && !closing.signal.aborted) {
      bell = Promise.withResolvers<void>();
      const outcome = await exclusive(pollOrFail);
      const isAway = typeof outcome === 'object';
      if (isAway && !away) {
        log.warn({ err: outcome.away }, 'change feed cannot read until the database is back');
      }
      away = isAway;
      heldPauseMs =
        outcome === 'held' ? Math.min(heldPauseMs * 2, HELD_PAUSE_MS_MAX) : HELD_PAUSE_MS;
      await pause(outcome === 'held' ? Math.min(heldPauseMs, limits.pollMs) : limits.pollMs);
    }
  };
  /** Ends early by the bell, but never earlier than the gap. */
  const pause = async (ms: number): Promise<void> => {
    const woken = new AbortController();
    const stop = AbortSignal.any([woken.signal, closing.signal]);
    const early = bell.promise.then(() => 'rung' as const);
    const slept = deps.clock.sleep(ms, stop).catch(() => undefined);
    const first = await Promise.race([early, slept]);
    woken.abort();
    if (first === 'rung') {
      await deps.clock.sleep(NUDGE_GAP_MS, closing.signal).catch(() => undefined);
    }
  };
  const start = (): void => {
    endDemand ??= deps.onDemand();
    running ??= run().finally(() => {
      running = undefined;
      if (followers.size > 0 && !closing.signal.aborted) {
        start();
        return;
      }
      endDemand?.();
      endDemand = undefined;
    });
  };
  return {
    nudge: () => bell.resolve(),
    join: (follower, kinds) =>
      exclusive(async () => {
        if (followers.size === 0) {
          // Nobody moved the position since the last follower went.
          at = undefined;
        }
        await poll();
        let position = follower.position();
        const until = at?.from;
        for (let more = true; more; ) {
          const options = { position, kinds, limit: PAGE };
          const page = await reader.read(until === undefined ? options : { ...options, until });
          follower.offer(page.changes, page.position);
          position = page.position;
          more = position.from !== position.to || (until !== undefined && position.from < until);
        }
        followers.add(follower);
        start();
      }),
    leave: (follower) => {
      followers.delete(follower);
      if (followers.size === 0) {
        bell.resolve();
      }
    },
    close: async () => {
      closing.abort();
      failAll(unavailable('STORE_UNAVAILABLE', 'The store is closing'));
      bell.resolve();
      await running;
    },
  };
};

/** One after the other; a failure of one is not the next one's. */
const createExclusive = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
};
