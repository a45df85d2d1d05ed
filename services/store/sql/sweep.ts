import { sql } from 'kysely';
import type { Clock } from '../../runtime/clock.ts';
import type { StoreLimits } from './limits.ts';
import type { Database } from './orm.ts';
import type { SharedTables } from './shared-tables.ts';
import { mapStoreError } from './store-error.ts';
import type { StoreLog } from './store-log.ts';

/** Forgets old answers and old changes, in small bites so that writers hardly notice. */
export type SweepDeps = {
  readonly database: Database;
  readonly clock: Clock;
  readonly limits: StoreLimits;
  readonly log: StoreLog;
};

export type Swept = { readonly requests: number; readonly changes: number };

/** Bites of one sweep; what is left waits for the next. */
const ROUNDS_MAX = 100;

/** Sweeps until the signal aborts. */
export const sweepForEver = async (deps: SweepDeps, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await deps.clock.sleep(deps.limits.sweepMs, signal).catch(() => undefined);
    if (signal.aborted) {
      return;
    }
    try {
      await sweepOnce(deps, signal);
    } catch (error) {
      deps.log.warn({ err: mapStoreError(error) }, 'sweep of old requests and changes failed');
    }
  }
};

export const sweepOnce = async (deps: SweepDeps, signal: AbortSignal): Promise<Swept> => ({
  requests: await inRounds(deps, signal, sweepRequests),
  changes: await inRounds(deps, signal, compactChanges),
});

const inRounds = async (
  deps: SweepDeps,
  signal: AbortSignal,
  bite: (deps: SweepDeps) => Promise<number>,
): Promise<number> => {
  let total = 0;
  for (let round = 0; round < ROUNDS_MAX && !signal.aborted; round += 1) {
    const count = await bite(deps);
    total += count;
    if (count < deps.limits.sweepRows) {
      break;
    }
  }
  return total;
};

const sweepRequests = async ({ database, clock, limits }: SweepDeps): Promise<number> => {
  const before = clock.now().getTime() - limits.requestRetentionMs;
  const result = await database
    .writer<SharedTables>()
    .deleteFrom('request')
    .where('id', 'in', (from) =>
      from
        .selectFrom('request')
        .select('id')
        .where('created_ms', '<', before)
        .orderBy('created_ms')
        .limit(limits.sweepRows),
    )
    .executeTakeFirst();
  return Number(result.numDeletedRows);
};

/**
 * Deletes the oldest changes and, in the same transaction, raises the mark below which tokens are
 * refused. Only what every reader may already have seen goes: positions below the oldest open
 * transaction.
 */
const compactChanges = async ({ database, clock, limits }: SweepDeps): Promise<number> => {
  const before = clock.now().getTime() - limits.changeRetentionMs;
  const isPostgres = database.dialect === 'postgresql';
  const position = sql.ref(isPostgres ? 'xid' : 'seq');
  const settled = isPostgres ? sql`where xid < pg_snapshot_xmin(pg_current_snapshot())` : sql``;
  const { handle } = await database.begin();
  try {
    const { rows } = await sql<{ at: string | number; at_ms: number }>`
      select ${isPostgres ? sql`xid::text` : sql`seq`} as at, at_ms from change ${settled}
      order by ${position} limit ${limits.sweepRows}`.execute(handle);
    const kept = rows.findIndex((row) => Number(row.at_ms) >= before);
    const newest = (kept === -1 ? rows : rows.slice(0, kept)).at(-1);
    if (newest === undefined) {
      await handle.rollback().execute();
      return 0;
    }
    const end = String(BigInt(newest.at) + 1n);
    const mark = sql`cast(cast(${end} as text) as bigint)`;
    await sql`update meta set compacted = ${mark} where compacted < ${mark}`.execute(handle);
    const deleted = await sql`delete from change where ${position} <
      ${isPostgres ? sql`${end}::text::xid8` : mark}`.execute(handle);
    await handle.commit().execute();
    return Number(deleted.numAffectedRows ?? 0);
  } catch (error) {
    await handle.rollback().execute();
    throw error;
  }
};
