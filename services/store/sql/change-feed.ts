import { type RawBuilder, sql } from 'kysely';
import { decodeToken, encodeToken, type FeedPosition, tokenExpired } from './change-token.ts';
import type { SqlDialect } from './migration.ts';
import type { Database } from './orm.ts';
import type { SharedTables } from './shared-tables.ts';
import { mapStoreError } from './store-error.ts';

/**
 * Reads the change table so that nothing is skipped or doubled although PostgreSQL makes numbers
 * visible out of order: a window ends below the oldest transaction that may still write (the
 * horizon), everything under it is settled for ever.
 *
 * The horizon is the smaller of pg_snapshot_xmin and the newest committed change + 1. The second
 * part is for a crash of the database: transaction ids that were handed out but never reached the
 * log are handed out again after it, and a token above them would skip their changes. A committed
 * change has reached the log, and so has all before it.
 */
export type ChangeEvent = {
  readonly kind: string;
  readonly uid: string;
  /** Absent = belongs to no project. */
  readonly projectUid?: string;
  readonly deleted: boolean;
  /** Grows from change to change of one object; for logs and tests. */
  readonly seq: number;
  readonly atMs: number;
};

/** Read the newest state of each object: two changes of one object may come in either order. */
export type ChangeBatch = {
  readonly changes: readonly ChangeEvent[];
  /** Continues behind the last change of this batch. */
  readonly token: string;
};

export type ReadOptions = {
  readonly position: FeedPosition;
  /** Undefined = all kinds. */
  readonly kinds: readonly string[] | undefined;
  readonly limit: number;
  /** Ends a new window here instead of at the horizon. */
  readonly until?: bigint;
};

export type FeedPage = {
  readonly changes: readonly ChangeEvent[];
  readonly position: FeedPosition;
  /** True when everything up to `position.from` has been delivered. */
  readonly atBoundary: boolean;
  /** True when changes are committed that the horizon does not yet let through. */
  readonly held: boolean;
};

export type FeedReader = {
  readonly head: () => Promise<FeedPosition>;
  readonly read: (options: ReadOptions) => Promise<FeedPage>;
  readonly encode: (position: FeedPosition) => string;
  readonly decode: (token: string) => FeedPosition;
};

type FeedState = {
  readonly incarnation: number;
  readonly compacted: string | number;
  readonly horizon: string | number;
  readonly newest: string | number;
};
type FeedRow = {
  readonly seq: number | null;
  readonly kind: string;
  readonly uid: string;
  readonly project_uid: string | null;
  readonly deleted: number;
  readonly at_ms: number;
};

export const createFeedReader = (database: Database, storeId: string): FeedReader => {
  const query = database.dialect === 'postgresql' ? postgresPage : sqlitePage;
  const shared = () => database.reader<SharedTables>();
  return {
    head: async () => {
      const { rows } = await mapped(stateQuery(database.dialect).execute(shared()));
      const state = stateOf(rows[0]);
      return boundaryAt(state.incarnation, state.horizon);
    },
    read: async (options) => {
      const { rows } = await mapped(query(options).execute(shared()));
      return pageOf(rows, options);
    },
    encode: (position) => encodeToken(position, storeId),
    decode: (token) => decodeToken(token, storeId),
  };
};

const mapped = async <T>(query: Promise<T>): Promise<T> => {
  try {
    return await query;
  } catch (error) {
    throw mapStoreError(error);
  }
};

const boundaryAt = (incarnation: number, at: bigint): FeedPosition => ({
  incarnation,
  from: at,
  to: at,
  seq: 0,
});

const stateOf = (row: FeedState | undefined) => {
  if (row === undefined) {
    throw new Error('The meta table is empty');
  }
  return {
    incarnation: Number(row.incarnation),
    compacted: BigInt(row.compacted),
    horizon: BigInt(row.horizon),
    newest: BigInt(row.newest),
  };
};

const pageOf = (rows: readonly (FeedState & FeedRow)[], options: ReadOptions): FeedPage => {
  const { position, limit, until } = options;
  const state = stateOf(rows[0]);
  const to = isOpen(position) ? position.to : (until ?? state.horizon);
  if (position.incarnation !== state.incarnation) {
    throw tokenExpired('the installation was restored since');
  }
  if (position.from < state.compacted) {
    throw tokenExpired('older changes are no longer kept');
  }
  if (position.to > state.horizon || to > state.horizon || position.from > to) {
    throw tokenExpired('it lies ahead of the database');
  }
  const changes = rows.flatMap((row) => (row.seq === null ? [] : [eventOf(row, row.seq)]));
  const held = state.newest >= state.horizon;
  const last = changes.at(-1);
  if (last === undefined || changes.length < limit) {
    return { changes, position: boundaryAt(state.incarnation, to), atBoundary: true, held };
  }
  const inside = { incarnation: state.incarnation, from: position.from, to, seq: last.seq };
  return { changes, position: inside, atBoundary: false, held };
};

const isOpen = (position: FeedPosition): boolean => position.from !== position.to;

const eventOf = (row: FeedRow, seq: number): ChangeEvent => ({
  kind: row.kind,
  uid: row.uid,
  ...(row.project_uid === null ? {} : { projectUid: row.project_uid }),
  deleted: Number(row.deleted) === 1,
  seq: Number(seq),
  atMs: Number(row.at_ms),
});

/** `newest`: the position of the newest visible change, below `compacted` when there is none. */
const stateQuery = (dialect: SqlDialect): RawBuilder<FeedState> =>
  dialect === 'postgresql'
    ? sql<FeedState>`
        select incarnation, compacted, newest,
          least(newest + 1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint) as horizon
        from (
          select incarnation, compacted, greatest(
            compacted - 1,
            coalesce((select xid::text::bigint from change order by xid desc limit 1), 0)
          ) as newest
          from meta
        ) m`
    : sql<FeedState>`
        select incarnation, compacted, newest, newest + 1 as horizon
        from (
          select incarnation, compacted,
            max(compacted - 1, coalesce((select max(seq) from change), 0)) as newest
          from meta
        ) m`;

const kindFilter = (kinds: readonly string[] | undefined): RawBuilder<unknown> => {
  if (kinds === undefined) {
    return sql``;
  }
  return kinds.length === 0 ? sql`and false` : sql`and kind in (${sql.join(kinds)})`;
};

/** One statement, so that horizon, compaction mark and rows are of one snapshot. */
const postgresPage = ({ position, kinds, limit, until }: ReadOptions) => {
  const end = isOpen(position) ? position.to : until;
  const to = end === undefined ? sql`s.horizon::text` : sql`${String(end)}::text`;
  return sql<FeedState & FeedRow>`
    with s as materialized (${stateQuery('postgresql')})
    select s.*, c.* from s left join lateral (
      select seq, kind, uid, project_uid, deleted, at_ms from change
      where xid >= ${String(position.from)}::xid8 and xid < (${to})::xid8
        and seq > ${position.seq} ${kindFilter(kinds)}
      order by seq limit ${limit}
    ) c on true order by c.seq`;
};

const sqlitePage = ({ position, kinds, limit, until }: ReadOptions) => {
  const end = isOpen(position) ? position.to : until;
  const before = end === undefined ? sql`` : sql`and seq < ${end}`;
  return sql<FeedState & FeedRow>`
    select s.*, c.* from (${stateQuery('sqlite')}) s left join (
      select seq, kind, uid, project_uid, deleted, at_ms from change
      where seq >= ${position.from} and seq > ${position.seq} ${before} ${kindFilter(kinds)}
      order by seq limit ${limit}
    ) c on true order by c.seq`;
};
