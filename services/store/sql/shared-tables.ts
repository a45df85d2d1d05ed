import type { Generated } from 'kysely';
import { sql } from 'kysely';
import type { Random } from '../../runtime/random.ts';
import type { Migration, MigrationDb } from './migration.ts';

/**
 * The tables that every service has beside its own: answers of requests, audit rows, the change
 * feed and one row about the database itself. Times are milliseconds since 1970, so that both
 * databases compare them alike.
 */
export type SharedTables = {
  readonly meta: MetaRow;
  readonly request: RequestRow;
  readonly audit: AuditRow;
  readonly change: ChangeRow;
};

export type MetaRow = {
  /** Always 1: the table has one row. */
  readonly id: Generated<number>;
  /** Random; tells the tokens of this database from those of any other. */
  readonly store_id: string;
  /** Raised by a restore; older tokens are refused then. */
  readonly incarnation: number;
  /** Positions below this one have been compacted out of `change`. */
  readonly compacted: number | string;
  /** Null but for a moment: see health.ts. */
  readonly probe: Uint8Array | null;
};

export type RequestRow = {
  readonly id: Generated<number>;
  readonly caller: string;
  readonly request_id: string;
  readonly method: string;
  readonly argument_hash: Uint8Array;
  /** Null only inside the transaction that is answering. */
  readonly answer: Uint8Array | null;
  readonly created_ms: number;
};

export type AuditRow = {
  readonly id: Generated<number>;
  readonly at_ms: number;
  readonly principal: string;
  readonly on_behalf_of: string | null;
  readonly request_id: string;
  readonly action: string;
  readonly object_kind: string;
  readonly object_uid: string;
  readonly object_name: string;
  readonly project_uid: string | null;
  readonly partition: string | null;
  /** JSON text, kept byte for byte because a hash chain covers it. */
  readonly before: string | null;
  readonly after: string | null;
};

export type ChangeRow = {
  /** Order of the changes of one object. */
  readonly seq: Generated<number>;
  readonly kind: string;
  readonly uid: string;
  readonly project_uid: string | null;
  readonly deleted: number;
  readonly at_ms: number;
};

export const sharedMigrations = (random: Random): readonly Migration[] => [
  {
    name: '0001-shared',
    up: async (db) => {
      await createMeta(db, random);
      await createRequest(db);
      await createAudit(db);
      await createChange(db);
    },
  },
];

const createMeta = async (db: MigrationDb, random: Random): Promise<void> => {
  const { type } = db;
  await db.createTable('meta', (table) =>
    table
      .addColumn('store_id', type.text, (column) => column.notNull())
      .addColumn('incarnation', type.bigint, (column) => column.notNull())
      .addColumn('compacted', type.bigint, (column) => column.notNull())
      .addColumn('probe', type.bytes),
  );
  const storeId = random.bytes(9).toString('base64url');
  await sql`insert into meta (id, store_id, incarnation, compacted)
    values (1, ${storeId}, 1, 0)`.execute(db.kysely);
};

const createRequest = async (db: MigrationDb): Promise<void> => {
  const { type } = db;
  await db.createTable('request', (table) =>
    table
      .addColumn('caller', type.text, (column) => column.notNull())
      .addColumn('request_id', type.text, (column) => column.notNull())
      .addColumn('method', type.text, (column) => column.notNull())
      .addColumn('argument_hash', type.bytes, (column) => column.notNull())
      .addColumn('answer', type.bytes)
      .addColumn('created_ms', type.bigint, (column) => column.notNull()),
  );
  await db.createUnique('request', ['caller', 'request_id']);
  await db.createIndex('request', ['created_ms']);
};

const createAudit = async (db: MigrationDb): Promise<void> => {
  const { type } = db;
  await db.createTable('audit', (table) =>
    table
      .addColumn('at_ms', type.bigint, (column) => column.notNull())
      .addColumn('principal', type.text, (column) => column.notNull())
      .addColumn('on_behalf_of', type.text)
      .addColumn('request_id', type.text, (column) => column.notNull())
      .addColumn('action', type.text, (column) => column.notNull())
      .addColumn('object_kind', type.text, (column) => column.notNull())
      .addColumn('object_uid', type.text, (column) => column.notNull())
      .addColumn('object_name', type.text, (column) => column.notNull())
      .addColumn('project_uid', type.text)
      .addColumn('partition', type.text)
      .addColumn('before', type.text)
      .addColumn('after', type.text),
  );
  await db.createIndex('audit', ['object_uid', 'id']);
};

/**
 * On PostgreSQL numbers become visible out of order, so the transaction id stands beside the
 * number; on SQLite there is one writer and the number is enough.
 */
const createChange = async (db: MigrationDb): Promise<void> => {
  const key =
    db.dialect === 'sqlite'
      ? sql`seq integer primary key autoincrement`
      : sql`seq bigint primary key generated always as identity,
            xid xid8 not null default pg_current_xact_id()`;
  const { text, bigint } = db.type;
  await sql`create table change (
    ${key},
    kind ${text} not null,
    uid ${text} not null,
    project_uid ${text},
    deleted integer not null,
    at_ms ${bigint} not null
  )`.execute(db.kysely);
  if (db.dialect === 'postgresql') {
    await sql`create index change_xid_seq_index on change (xid, seq)`.execute(db.kysely);
  }
};
