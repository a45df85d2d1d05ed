import { sql } from 'kysely';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';
import { type ChangeBatch, createFeedReader, type FeedReader } from './change-feed.ts';
import { type ChangePoller, createChangePoller, type FollowOptions } from './change-poller.ts';
import { type DatabaseUrl, parseDatabaseUrl } from './database-url.ts';
import { createHealthMonitor, type Ping } from './health.ts';
import { type StoreLimits, storeLimits } from './limits.ts';
import { migrate } from './migrate.ts';
import type { Migration, SqlDialect } from './migration.ts';
import { createNotifier, type Notifier } from './notify.ts';
import { createDatabase, type Database, type Entity } from './orm.ts';
import { type SharedTables, sharedMigrations } from './shared-tables.ts';
import { mapStoreError } from './store-error.ts';
import type { StoreLog } from './store-log.ts';
import { type Swept, sweepForEver, sweepOnce } from './sweep.ts';
import { createTransactions, type Transactions } from './transaction.ts';

/** How a service reaches its records: one per process and service, closed last. */
export type SqlStore = Transactions & {
  readonly dialect: SqlDialect;
  /** Raised by a restore; goes into tokens and etags. */
  readonly incarnation: () => number;
  readonly changes: Changes;
  readonly ping: Ping;
  /** One sweep of old answers and changes; it also runs by itself. */
  readonly sweep: (signal: AbortSignal) => Promise<Swept>;
  /**
   * For the restore procedure, with every other process stopped: voids all tokens and etags given
   * so far.
   */
  readonly raiseIncarnation: () => Promise<number>;
  readonly close: () => Promise<void>;
};

export type Changes = {
  /** Where the feed stands. List after this and follow from it: nothing is missed. */
  readonly head: () => Promise<string>;
  /** Changes behind the token, oldest first. Errors: out_of_range RESUME_TOKEN_EXPIRED. */
  readonly read: (options: ReadChanges) => Promise<ChangeBatch & { readonly more: boolean }>;
  readonly follow: (options: FollowOptions) => AsyncGenerator<ChangeBatch, void, void>;
};

export type ReadChanges = {
  /** Absent = from now on: the answer is empty and its token is the head. */
  readonly token?: string;
  /** Absent = all kinds. */
  readonly kinds?: readonly string[];
  readonly limit: number;
};

export type OpenSqlOptions = {
  /** Name of the service, `[a-z][a-z0-9_]*`: the PostgreSQL schema. */
  readonly service: string;
  /** `sqlite:<file>`, `sqlite::memory:` or `postgresql://…`; see database-url.ts. */
  readonly url: string;
  readonly entities: readonly Entity[];
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: StoreLog;
  readonly limits?: Partial<StoreLimits>;
  /**
   * For a service that writes much: SQLite does so in a thread of its own, and commits do not stop
   * the process while they wait for the disk. Each statement takes some 0.1 ms longer.
   */
  readonly writesInThread?: boolean;
};

const REOPEN_PAUSE_MS = 250;
const SERVICE_NAME = /^[a-z][a-z0-9_]{0,39}$/;

/**
 * Opens the database and migrates it. Errors: invalid_argument DATABASE_URL_INVALID,
 * failed_precondition STORE_NEWER_THAN_CODE or STORE_REFUSED, unavailable STORE_UNAVAILABLE after
 * `openMs`.
 */
export const openSql = async (options: OpenSqlOptions): Promise<SqlStore> => {
  if (!SERVICE_NAME.test(options.service)) {
    throw new Error(`"${options.service}" cannot be the name of a schema`);
  }
  const url = parseDatabaseUrl(options.url);
  const limits = { ...storeLimits, ...options.limits };
  const { clock, log, entities, service, writesInThread = false } = options;
  const database = createDatabase({ url, service, entities, limits, clock, log, writesInThread });
  try {
    await migrateSeparately(options, { url, database, limits });
    const meta = await readMeta(database);
    return assemble(options, { url, limits, database, meta });
  } catch (error) {
    await database.close();
    throw mapStoreError(error);
  }
};

/** A long index build is allowed, and so is a replica's wait for the one that makes it. */
const MIGRATION_MS_MAX = 600_000;

type Opening = Omit<Parts, 'meta'>;

/** On PostgreSQL over a connection of its own, whose statements may take long. */
const migrateSeparately = async (options: OpenSqlOptions, opening: Opening): Promise<void> => {
  const { url, database, limits } = opening;
  if (url.dialect === 'sqlite') {
    return migrateWhenReachable(options, database, limits);
  }
  const patient = {
    ...limits,
    connectionsMax: 1,
    transactionMs: MIGRATION_MS_MAX,
    statementMs: MIGRATION_MS_MAX,
    lockMs: MIGRATION_MS_MAX,
  };
  const { service, clock, log } = options;
  const own = createDatabase({ url, service, entities: [], limits: patient, clock, log });
  try {
    await migrateWhenReachable(options, own, limits);
  } finally {
    await own.close();
  }
};

const migrateWhenReachable = async (
  { service, migrations, clock, random, log }: OpenSqlOptions,
  database: Database,
  limits: StoreLimits,
): Promise<void> => {
  const deadlineMs = clock.monotonicMs() + limits.openMs;
  const tracks = [
    { track: 'shared', migrations: sharedMigrations(random) },
    { track: service, migrations },
  ];
  const { begin, dialect } = database;
  for (let tried = false; ; tried = true) {
    try {
      await migrate({ begin, dialect, service, tracks, clock, log });
      return;
    } catch (cause) {
      const error = mapStoreError(cause);
      const mayReturn = isDomainError(error, 'unavailable') && dialect === 'postgresql';
      if (!mayReturn || clock.monotonicMs() >= deadlineMs) {
        throw error;
      }
      if (!tried) {
        log.warn({ err: error, service }, 'waiting for the database');
      }
      await clock.sleep(REOPEN_PAUSE_MS);
    }
  }
};

type Meta = { readonly storeId: string; readonly incarnation: number };

const readMeta = async (database: Database): Promise<Meta> => {
  const row = await database
    .writer<SharedTables>()
    .selectFrom('meta')
    .select(['store_id', 'incarnation'])
    .executeTakeFirstOrThrow();
  return { storeId: row.store_id, incarnation: Number(row.incarnation) };
};

type Parts = {
  readonly url: DatabaseUrl;
  readonly limits: StoreLimits;
  readonly database: Database;
  readonly meta: Meta;
};

const assemble = (options: OpenSqlOptions, { url, limits, database, meta }: Parts): SqlStore => {
  const { clock, random, log } = options;
  let { incarnation } = meta;
  const closing = new AbortController();
  const reader = createFeedReader(database, meta.storeId);
  const notifier = notifierOf(options, { url, limits, database, onNudge: () => poller.nudge() });
  const poller = createChangePoller({
    reader,
    clock,
    limits,
    log,
    onDemand: () => notifier?.listen() ?? (() => undefined),
  });
  const health = createHealthMonitor({ database, clock, limits });
  const onChanges = (): void => {
    poller.nudge();
    notifier?.send();
  };
  const sweeping = sweepForEver({ database, clock, limits, log }, closing.signal);
  return {
    ...createTransactions({
      database,
      clock,
      random,
      limits,
      onChanges,
      onWrite: health.noteWrite,
    }),
    dialect: database.dialect,
    incarnation: () => incarnation,
    changes: changesOf(reader, poller),
    ping: health.ping,
    sweep: (signal) => sweepOnce({ database, clock, limits, log }, signal),
    raiseIncarnation: async () => {
      await sql`update meta set incarnation = incarnation + 1`.execute(database.writer());
      ({ incarnation } = await readMeta(database));
      return incarnation;
    },
    close: async () => {
      closing.abort();
      await Promise.all([poller.close(), notifier?.close(), sweeping]);
      await database.close();
    },
  };
};

const notifierOf = (
  { service, clock, random, log }: OpenSqlOptions,
  parts: Omit<Parts, 'meta'> & { readonly onNudge: () => void },
): Notifier | undefined => {
  const { url, limits, database, onNudge } = parts;
  if (url.dialect !== 'postgresql' || database.pool === undefined) {
    return undefined;
  }
  const options = { server: url.server, schema: service, limits, log };
  return createNotifier({ options, pool: database.pool, clock, random, onNudge });
};

const changesOf = (reader: FeedReader, poller: ChangePoller): Changes => ({
  head: async () => reader.encode(await reader.head()),
  read: async ({ token, kinds, limit }) => {
    const position = token === undefined ? await reader.head() : reader.decode(token);
    const page = await reader.read({ position, kinds, limit });
    return { changes: page.changes, token: reader.encode(page.position), more: !page.atBoundary };
  },
  follow: poller.follow,
});
