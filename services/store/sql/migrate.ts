import { type Kysely, sql } from 'kysely';
import type { Clock } from '../../runtime/clock.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { type Migration, type MigrationTables, migrationDb, type SqlDialect } from './migration.ts';
import type { OpenTransaction } from './orm.ts';
import { uniqueIndexName } from './store-error.ts';
import type { StoreLog } from './store-log.ts';

/**
 * Brings a database up to the code, in one transaction under a lock, so that replicas that start
 * together run each step once. A database that is ahead of the code is refused: an old release must
 * not write rows whose meaning has moved on.
 */
export type MigrateOptions = {
  /** Begins on the writing connection. */
  readonly begin: () => Promise<OpenTransaction>;
  readonly dialect: SqlDialect;
  readonly service: string;
  readonly tracks: readonly Track[];
  readonly clock: Clock;
  readonly log: StoreLog;
};

/**
 * Steps that are numbered together. The shared tables have a track of their own and so can grow
 * later.
 */
export type Track = { readonly track: string; readonly migrations: readonly Migration[] };

type AppliedRow = { readonly track: string; readonly name: string };

export const migrate = async (options: MigrateOptions): Promise<void> => {
  checkNames(options.tracks);
  const { handle, kysely } = await options.begin();
  const transaction = kysely<MigrationTables>();
  try {
    await lock(transaction, options);
    await createMigrationTable(transaction, options.dialect);
    const applied = await readApplied(transaction);
    for (const pending of pendingOf(options, applied)) {
      await pending.migration.up(migrationDb(transaction, options.dialect));
      const nowMs = options.clock.now().getTime();
      await sql`insert into migration (track, name, applied_ms)
        values (${pending.track}, ${pending.migration.name}, ${nowMs})`.execute(transaction);
      options.log.info(
        { service: options.service, migration: pending.migration.name },
        'applied migration',
      );
    }
    await checkUniqueNames(transaction, options.dialect);
    await handle.commit().execute();
  } catch (error) {
    await handle.rollback().execute();
    throw error;
  }
};

const checkNames = (tracks: readonly Track[]): void => {
  for (const { migrations } of tracks) {
    const names = migrations.map((migration) => migration.name);
    const sorted = [...new Set(names)].sort();
    if (sorted.join() !== names.join()) {
      throw new Error(`Migrations must be unique and in the order of their names: ${names.join()}`);
    }
  }
};

/**
 * On SQLite the state directory's lock keeps other processes out, and the open transaction everyone
 * else.
 */
const lock = async (transaction: Kysely<MigrationTables>, options: MigrateOptions) => {
  if (options.dialect === 'sqlite') {
    return;
  }
  const name = `runmachine migrate ${options.service}`;
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(transaction);
  await sql`create schema if not exists ${sql.id(options.service)}`.execute(transaction);
};

const createMigrationTable = async (transaction: Kysely<MigrationTables>, dialect: SqlDialect) => {
  const { text, bigint } = migrationDb(transaction, dialect).type;
  await sql`create table if not exists migration (
    track ${text} not null, name ${text} not null, applied_ms ${bigint} not null,
    primary key (track, name)
  )`.execute(transaction);
};

const readApplied = async (transaction: Kysely<MigrationTables>): Promise<AppliedRow[]> => {
  const { rows } =
    await sql<AppliedRow>`select track, name from migration order by track, name`.execute(
      transaction,
    );
  return rows;
};

type Pending = { readonly track: string; readonly migration: Migration };

const pendingOf = (options: MigrateOptions, applied: readonly AppliedRow[]): Pending[] =>
  options.tracks.flatMap(({ track, migrations }) => {
    const done = applied.filter((row) => row.track === track).map((row) => row.name);
    const known = new Set(migrations.map((migration) => migration.name));
    const unknown = done.filter((name) => !known.has(name));
    if (unknown.length > 0) {
      throw failedPrecondition(
        'STORE_NEWER_THAN_CODE',
        `The database of ${options.service} was migrated by a newer release: this one does not ` +
          `know "${unknown.join('", "')}". Start the newer release, or restore a backup made before it`,
        { metadata: { service: options.service, migrations: unknown.join(',') } },
      );
    }
    const skipped = migrations.slice(0, done.length).find(({ name }) => !done.includes(name));
    if (skipped !== undefined) {
      throw new Error(`Migration "${skipped.name}" sorts before one that was applied already`);
    }
    return migrations.slice(done.length).map((migration) => ({ track, migration }));
  });

/**
 * See uniqueViolation: SQLite reports columns only, so the name of the index must follow from them.
 */
const checkUniqueNames = async (transaction: Kysely<MigrationTables>, dialect: SqlDialect) => {
  if (dialect !== 'sqlite') {
    return;
  }
  type Row = { readonly name: string; readonly table: string; readonly columns: string };
  const { rows } = await sql<Row>`
    select i.name as name, t.name as "table", group_concat(c.name, ',' order by c.seqno) as columns
    from sqlite_schema t
    join pragma_index_list(t.name) i on i."unique" = 1 and i.origin <> 'pk'
    join pragma_index_info(i.name) c
    where t.type = 'table'
    group by i.name, t.name
    having count(c.name) = count(*)`.execute(transaction);
  for (const row of rows) {
    const expected = uniqueIndexName(row.table, row.columns.split(','));
    if (row.name !== expected) {
      throw new Error(`Unique index "${row.name}" must be named "${expected}"; use createUnique`);
    }
  }
};
