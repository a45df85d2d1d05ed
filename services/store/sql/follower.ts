import { resourceExhausted } from '../../runtime/errors.ts';
import type { ChangeEvent } from './change-feed.ts';
import type { FeedPosition } from './change-token.ts';

/**
 * What one follower has not taken yet. Bounded: a reader that is too slow is cut off and resumes
 * with its last token, instead of making the process hold changes for it.
 */
export type Follower = {
  /**
   * Adds what the poller read; `position` lies behind it. Returns false once the follower is cut
   * off.
   */
  readonly offer: (changes: readonly ChangeEvent[], position: FeedPosition) => boolean;
  /** Ends the follower: what it waits for, now or later, rejects. */
  readonly fail: (error: unknown) => void;
  /**
   * Everything buffered, at once; undefined when nothing is. Throws when the follower has failed.
   */
  readonly take: () => Delivery | undefined;
  /** Resolves when `take` has something to say, at the latest when the follower fails. */
  readonly wait: () => Promise<void>;
  /** Where an idle follower stands. */
  readonly position: () => FeedPosition;
};

export type Delivery = {
  readonly changes: readonly ChangeEvent[];
  readonly position: FeedPosition;
};

/** Batches stay small enough for one message; a follower that lags gets several. */
const BATCH_CHANGES_MAX = 1_000;

export const createFollower = (
  start: FeedPosition,
  kinds: readonly string[] | undefined,
  changesMax: number,
): Follower => {
  const wanted = kinds === undefined ? undefined : new Set(kinds);
  const batches: Delivery[] = [];
  let buffered = 0;
  let position = start;
  let failure: { readonly error: unknown } | undefined;
  let wake = Promise.withResolvers<void>();
  const fail = (error: unknown): void => {
    failure ??= { error };
    batches.length = 0;
    wake.resolve();
  };
  return {
    offer: (changes, behind) => {
      if (failure !== undefined) {
        return false;
      }
      const relevant =
        wanted === undefined ? changes : changes.filter(({ kind }) => wanted.has(kind));
      buffered += relevant.length;
      if (buffered > changesMax) {
        fail(slow(changesMax));
        return false;
      }
      const last = batches.at(-1);
      if (last === undefined && relevant.length === 0) {
        position = behind;
      } else if (last !== undefined && last.changes.length + relevant.length <= BATCH_CHANGES_MAX) {
        batches.splice(-1, 1, { changes: [...last.changes, ...relevant], position: behind });
      } else {
        batches.push({ changes: relevant, position: behind });
      }
      if (relevant.length > 0) {
        wake.resolve();
      }
      return true;
    },
    fail,
    take: () => {
      if (failure !== undefined) {
        throw failure.error;
      }
      const next = batches.shift();
      if (next !== undefined) {
        buffered -= next.changes.length;
        position = next.position;
      }
      if (batches.length === 0) {
        wake = Promise.withResolvers<void>();
      }
      return next;
    },
    wait: () => wake.promise,
    position: () => position,
  };
};

const slow = (changesMax: number) =>
  resourceExhausted(
    'SLOW_WATCHER',
    `The watcher did not take ${changesMax} changes in time; resume with the last token`,
  );
