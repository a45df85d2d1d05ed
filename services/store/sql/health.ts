import { sql } from 'kysely';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError, unavailable } from '../../runtime/errors.ts';
import type { StoreLimits } from './limits.ts';
import type { Database } from './orm.ts';
import type { SharedTables } from './shared-tables.ts';
import { mapStoreError } from './store-error.ts';

/**
 * Whether the store can serve. On PostgreSQL it also watches the horizon: a transaction left open
 * anywhere in the cluster, even in another database, holds back every watcher, and pg_stat_activity
 * shows other users' ones only to monitors. So the age is measured here, from pings: how long has
 * the oldest open transaction been the same.
 */
export type Health = {
  /** Milliseconds that the change feed is held back; 0 on SQLite, which has one writer. */
  readonly horizonAgeMs: number;
};

/**
 * Errors: unavailable STORE_UNAVAILABLE (or STORE_BUSY, STORE_FULL) when the database does not
 * answer, unavailable STORE_HORIZON_OLD when an open transaction holds back the change feed for too
 * long.
 */
export type Ping = (signal: AbortSignal) => Promise<Health>;

type Horizon = { readonly oldest: string; readonly next: string };

export type HealthMonitor = {
  readonly ping: Ping;
  /** What became of a write: after a full disk, pings try a write until one succeeds. */
  readonly noteWrite: (failure: unknown) => void;
};

type HealthDeps = {
  readonly database: Database;
  readonly clock: Clock;
  readonly limits: StoreLimits;
};

/** Larger than what fits into the space that a failed write has left behind. */
const PROBE_BYTES = 65_536;

const probe = async (database: Database, signal: AbortSignal): Promise<void> => {
  const meta = database.writer<SharedTables>().updateTable('meta');
  await meta.set({ probe: Buffer.alloc(PROBE_BYTES) }).execute({ signal });
  await meta.set({ probe: null }).execute({ signal });
};

export const createHealthMonitor = ({ database, clock, limits }: HealthDeps): HealthMonitor => {
  let full = false;
  let seen: { readonly oldest: string; readonly sinceMs: number } | undefined;
  const ageOf = ({ oldest, next }: Horizon): number => {
    const nowMs = clock.monotonicMs();
    if (oldest === next) {
      seen = undefined;
      return 0;
    }
    if (seen?.oldest !== oldest) {
      seen = { oldest, sinceMs: nowMs };
    }
    return nowMs - seen.sinceMs;
  };
  const noteWrite = (failure: unknown): void => {
    if (failure === undefined || isDomainError(failure, 'unavailable', 'STORE_FULL')) {
      full = failure !== undefined;
    }
  };
  const ping: Ping = async (signal) => {
    signal.throwIfAborted();
    try {
      if (full) {
        await probe(database, signal);
        full = false;
      }
      if (database.dialect === 'sqlite') {
        await sql`select 1`.execute(database.reader(), { signal });
        return { horizonAgeMs: 0 };
      }
      const { rows } = await sql<Horizon>`
        select pg_snapshot_xmin(s)::text as oldest, pg_snapshot_xmax(s)::text as next
        from pg_current_snapshot() s`.execute(database.reader(), { signal });
      const [horizon] = rows;
      const horizonAgeMs = horizon === undefined ? 0 : Math.round(ageOf(horizon));
      if (horizonAgeMs > limits.horizonAgeMs) {
        throw unavailable(
          'STORE_HORIZON_OLD',
          `A transaction has been open for ${horizonAgeMs} ms and holds back all watchers`,
        );
      }
      return { horizonAgeMs };
    } catch (error) {
      throw mapStoreError(error);
    }
  };
  return { ping, noteWrite };
};
