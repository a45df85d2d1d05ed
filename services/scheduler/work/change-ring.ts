import { type Clock, OVER } from '../../runtime/clock.ts';
import { outOfRange } from '../../runtime/errors.ts';
import type { ChangeBatch, ClaimChange } from '../ports.ts';

/**
 * The newest changes of claims, read by any number of watchers from where each of them stands:
 * nothing is kept per watcher, and one that falls behind the oldest change has to start over.
 */
export type ChangeRing = {
  /** The changes of one revision, after `revision()`. */
  readonly add: (revision: bigint, changes: readonly ClaimChange[]) => void;
  /** History begins anew: everything up to the revision is unknown here. */
  readonly reset: (revision: bigint) => void;
  readonly revision: () => bigint;
  readonly untilRevision: (revision: bigint, signal: AbortSignal) => Promise<void>;
  readonly follow: (after: bigint, signal: AbortSignal) => AsyncGenerator<ChangeBatch, void, void>;
};

export type RingLimits = {
  readonly changesMax: number;
  /** An idle watcher gets an empty batch this often. */
  readonly bookmarkMs: number;
};

const BATCH_CHANGES_MAX = 500;

export const createChangeRing = (clock: Clock, limits: RingLimits): ChangeRing => {
  let changes: ClaimChange[] = [];
  /** All changes behind this revision are in `changes`. */
  let floor = 0n;
  let revision = 0n;
  let moved = Promise.withResolvers<void>();

  const advance = (to: bigint): void => {
    revision = to;
    const { resolve } = moved;
    moved = Promise.withResolvers<void>();
    resolve();
  };
  /** False when nothing moved within the limit. */
  const untilMoved = async (signal: AbortSignal, ms?: number): Promise<boolean> => {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const limit = clock.sleep(ms ?? 60_000, either).then(
      () => false,
      () => false,
    );
    const first = await Promise.race([moved.promise.then(() => true), limit]);
    stop.abort(OVER);
    return first;
  };
  /** Changes behind the revision; whole revisions only. */
  const after = (at: bigint): ChangeBatch => {
    if (at < floor) throw expired();
    const start = firstBehind(changes, at);
    let end = Math.min(start + BATCH_CHANGES_MAX, changes.length);
    const last = changes[end - 1];
    while (end < changes.length && changes[end]?.revision === last?.revision) end += 1;
    const batch = changes.slice(start, end);
    return { changes: batch, revision: end === changes.length ? revision : (last?.revision ?? at) };
  };

  return {
    add: (at, added) => {
      for (const change of added) changes.push(change);
      // Cut in one go now and then: moving the rest costs as much as what is kept.
      if (changes.length > 2 * limits.changesMax) {
        floor = changes[changes.length - limits.changesMax - 1]?.revision ?? floor;
        changes = changes.slice(firstBehind(changes, floor));
      }
      advance(at);
    },
    reset: (at) => {
      changes = [];
      floor = at;
      advance(at);
    },
    revision: () => revision,
    untilRevision: async (wanted, signal) => {
      while (revision < wanted) {
        signal.throwIfAborted();
        await untilMoved(signal);
      }
    },
    follow: async function* (from, signal) {
      let at = from;
      while (!signal.aborted) {
        const batch = after(at);
        at = batch.revision;
        if (batch.changes.length > 0) yield batch;
        else if (!(await untilMoved(signal, limits.bookmarkMs)) && !signal.aborted) {
          yield { changes: [], revision: at };
        }
      }
    },
  };
};

const expired = () =>
  outOfRange(
    'RESUME_TOKEN_EXPIRED',
    'The changes behind this token are no longer known here; start the watch over without a token',
  );

/** Position of the first change behind the revision; they are in order. */
const firstBehind = (changes: readonly ClaimChange[], revision: bigint): number => {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((changes[middle]?.revision ?? 0n) > revision) high = middle;
    else low = middle + 1;
  }
  return low;
};
