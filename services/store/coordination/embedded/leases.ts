import { once } from 'node:events';
import type { Clock } from '../../../runtime/clock.ts';
import type { Random } from '../../../runtime/random.ts';
import { coordinationUnavailable, leaseLost } from '../failures.ts';
import type { Lease } from '../port.ts';
import { slept } from '../waiting.ts';
import { deletions } from './apply-transaction.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { Records } from './records.ts';

/** After a failed sweep (a full disk): wait this long before the next. */
const SWEEP_RETRY_MS = 1000;

type Held = {
  readonly ttlMs: number;
  /** On the monotonic clock. */
  expiresAtMs: number;
  /** Revoked or expired: never alive again, though its keys may not be deleted yet. */
  ended: boolean;
};

export type Leases = {
  readonly grant: (ttlMs: number, signal: AbortSignal) => Promise<Lease>;
  readonly of: (id: string, ttlMs: number) => Lease;
  readonly isAlive: (leaseId: string) => boolean;
  readonly close: () => Promise<void>;
};

type Deps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly records: Records;
  readonly queue: CommitQueue;
  readonly onSweepFailure: (error: unknown) => void;
};

/**
 * Leases live in memory, on the monotonic clock; the file only knows that they exist. So a lease
 * that survives a restart gets its whole time again: its holder could not renew it meanwhile.
 */
export const openLeases = (deps: Deps): Leases => {
  const { clock, random, records, queue } = deps;
  const held = new Map<string, Held>();
  const sweeper = openSweeper(deps, held);

  const hold = (id: string, ttlMs: number): void => {
    held.set(id, { ttlMs, expiresAtMs: clock.monotonicMs() + ttlMs, ended: false });
    sweeper.wake();
  };
  for (const { id, ttlMs } of records.leases()) hold(id, ttlMs);

  const isAlive = (id: string): boolean => {
    const lease = held.get(id);
    return lease !== undefined && !lease.ended && clock.monotonicMs() < lease.expiresAtMs;
  };

  const toLease = (id: string, ttlMs: number): Lease => ({
    id,
    ttlMs,
    keepAlive: async (signal) => {
      if (signal.aborted) throw coordinationUnavailable('Given up', signal.reason);
      queue.assertOpen();
      const lease = held.get(id);
      if (lease === undefined || !isAlive(id)) throw leaseLost(id);
      lease.expiresAtMs = clock.monotonicMs() + ttlMs;
    },
    revoke: (signal) => endLeases({ records, queue }, held, { ids: [id], signal }),
  });

  return {
    of: toLease,
    isAlive,
    grant: (ttlMs, signal) =>
      queue.add({
        run: () => {
          const id = random.uid();
          records.insertLease(id, ttlMs);
          return { value: toLease(id, ttlMs), events: [] };
        },
        committed: ({ id }) => hold(id, ttlMs),
        isRepeatable: true,
        signal,
      }),
    close: sweeper.close,
  };
};

/** Deletes the leases and all their keys, as one revision. */
const endLeases = async (
  { records, queue }: Pick<Deps, 'records' | 'queue'>,
  held: Map<string, Held>,
  { ids, signal }: { readonly ids: readonly string[]; readonly signal?: AbortSignal },
): Promise<void> => {
  await queue.add({
    run: (next) => {
      const keys = ids.flatMap((id) => {
        // From here on no later job of the same commit may put a key under it.
        const lease = held.get(id);
        if (lease !== undefined) lease.ended = true;
        records.deleteLease(id);
        return records.heldBy(id);
      });
      return { value: undefined, events: deletions(keys, next) };
    },
    committed: () => {
      for (const id of ids) held.delete(id);
    },
    isRepeatable: true,
    ...(signal === undefined ? {} : { signal }),
  });
};

/** Sleeps until the first lease can have expired, ends those that have, and so on. */
const openSweeper = (deps: Deps, held: Map<string, Held>) => {
  const { clock } = deps;
  const closing = new AbortController();
  let nap = new AbortController();
  let napEndsAtMs = Number.POSITIVE_INFINITY;

  const rest = async (ms: number): Promise<void> => {
    napEndsAtMs = clock.monotonicMs() + ms;
    if (ms < Number.POSITIVE_INFINITY) await slept(clock, ms, nap.signal);
    else if (!nap.signal.aborted) await once(nap.signal, 'abort');
    nap = new AbortController();
  };

  const sweep = async (): Promise<void> => {
    const nowMs = clock.monotonicMs();
    const ids = [...held].filter(([, lease]) => isOver(lease, nowMs)).map(([id]) => id);
    if (ids.length > 0) await endLeases(deps, held, { ids });
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        await sweep();
        await rest(untilFirst(held, clock.monotonicMs()));
      } catch (error) {
        if (closing.signal.aborted) return;
        deps.onSweepFailure(error);
        await rest(SWEEP_RETRY_MS);
      }
    }
  };
  const running = run();

  return {
    /** Looks again at when to wake up; called when a lease was added. */
    wake: (): void => {
      if (clock.monotonicMs() + untilFirst(held, clock.monotonicMs()) < napEndsAtMs) nap.abort();
    },
    close: async (): Promise<void> => {
      closing.abort();
      nap.abort();
      await running;
    },
  };
};

const isOver = (lease: Held, nowMs: number): boolean => lease.ended || nowMs >= lease.expiresAtMs;

const untilFirst = (held: Map<string, Held>, nowMs: number): number => {
  let first = Number.POSITIVE_INFINITY;
  for (const { expiresAtMs } of held.values()) first = Math.min(first, expiresAtMs);
  return Math.max(first - nowMs, 0);
};
