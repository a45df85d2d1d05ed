import type { EntitySchema } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM, type SqlEntityManager, SqliteDriver } from '@mikro-orm/sql';
import type { ControlledTransaction, Dialect, Kysely } from 'kysely';
import type pg from 'pg';
import type { Clock } from '../../runtime/clock.ts';
import { createConnectionGate } from './connection-gate.ts';
import type { DatabaseUrl } from './database-url.ts';
import type { StoreLimits } from './limits.ts';
import type { SqlDialect } from './migration.ts';
import { createPool, createPostgresDialect } from './postgres-dialect.ts';
import type { SharedTables } from './shared-tables.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';
import type { StoreLog } from './store-log.ts';

/**
 * MikroORM over either database, reduced to what the rest of the store uses. Entity managers come
 * from here without a request context and without an identity map shared between callers.
 */
export type Database = {
  readonly dialect: SqlDialect;
  readonly fork: () => SqlEntityManager;
  /** Begins on the writing connection; the caller must end it by commit or rollback. */
  readonly begin: () => Promise<OpenTransaction>;
  /** For reads: SQLite's second connection, PostgreSQL's pool. */
  readonly reader: <DB>() => Kysely<DB>;
  /** For single statements that write by themselves. */
  readonly writer: <DB>() => Kysely<DB>;
  /** Absent on SQLite. */
  readonly pool?: pg.Pool;
  readonly close: () => Promise<void>;
};

export type OpenTransaction = {
  readonly handle: ControlledTransaction<SharedTables>;
  /** The same transaction under the caller's own names of tables. */
  readonly kysely: <DB>() => Kysely<DB>;
};

/** What defineEntity returns; the store does not look inside. */
export type Entity = EntitySchema;

type OrmOptions = {
  readonly url: DatabaseUrl;
  readonly service: string;
  readonly entities: readonly Entity[];
  readonly limits: StoreLimits;
  readonly clock: Clock;
  readonly log: StoreLog;
  /** Of SQLite. */
  readonly writesInThread?: boolean;
};

/** Makes the ORM; connects to nothing yet. */
export const createDatabase = (options: OrmOptions): Database => {
  const { url, limits, log } = options;
  if (url.dialect === 'postgresql') {
    const pool = createPool({ server: url.server, schema: options.service, limits, log });
    const dialect = createPostgresDialect(pool, limits.waitersMax);
    const orm = new MikroORM({
      ...settings(options),
      driver: PostgreSqlDriver,
      dbName: url.server.database,
      driverOptions: () => dialect,
    });
    return { ...databaseOf(orm, 'postgresql'), pool };
  }
  const dialectOf = (readOnly: boolean): Dialect =>
    createSqliteDialect({
      file: url.file,
      readOnly,
      inThread: options.writesInThread === true && !readOnly && !url.inMemory,
      gate: createConnectionGate({
        clock: options.clock,
        waitMsMax: limits.connectionWaitMs,
        waitersMax: limits.waitersMax,
      }),
    });
  const [writing, reading] = [dialectOf(false), dialectOf(true)];
  const orm = new MikroORM({
    ...settings(options),
    driver: SqliteDriver,
    dbName: url.file,
    driverOptions: () => writing,
    // A database in memory belongs to its connection: there reads share the writer's and wait for
    // their turn.
    ...(url.inMemory ? {} : { replicas: [{ name: 'reader', driverOptions: () => reading }] }),
  });
  return databaseOf(orm, 'sqlite');
};

const settings = ({ entities, log }: OrmOptions) => ({
  entities: [...entities],
  // Migrations are ours and run under our lock; the ORM must create nothing.
  ensureDatabase: false,
  debug: false,
  colors: false,
  logger: (text: string) => log.debug({ text }, 'ORM message'),
  discovery: { warnWhenNoEntities: false },
});

type AnyOrm = Pick<MikroORM, 'em' | 'close'>;

const databaseOf = (orm: AnyOrm, dialect: SqlDialect): Database => {
  const root = orm.em;
  return {
    dialect,
    fork: () => root.fork(),
    begin: async () => {
      const handle = await root.getConnection('write').begin();
      return { handle, kysely: <DB>(): ControlledTransaction<DB> => handle };
    },
    reader: <DB>(): Kysely<DB> => root.getConnection('read').getClient<DB>(),
    writer: <DB>(): Kysely<DB> => root.getConnection('write').getClient<DB>(),
    close: () => orm.close(),
  };
};
