import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { failedPrecondition } from '../../../runtime/errors.ts';

/**
 * The file of the embedded coordinator. `kv` is what is, `history` every change since the last
 * compaction (for watches and reads of old revisions) and the newest one of each key. Only that has
 * the values: it grows at its end, while changes of `kv` are all over it, and a page that was
 * touched is written whole. Keys are BLOBs, so that SQLite orders them bytewise as etcd does. A
 * revision that deleted has `deleted` = 1.
 */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS kv (
  key BLOB PRIMARY KEY, create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL,
  version INTEGER NOT NULL, lease_id TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS kv_lease ON kv (lease_id) WHERE lease_id <> '';
CREATE TABLE IF NOT EXISTS history (
  mod_revision INTEGER NOT NULL, position INTEGER NOT NULL, key BLOB NOT NULL,
  deleted INTEGER NOT NULL, value BLOB NOT NULL, create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL, lease_id TEXT NOT NULL,
  PRIMARY KEY (mod_revision, position)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS history_key ON history (key, mod_revision);
CREATE TABLE IF NOT EXISTS lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO mark VALUES ('current', 1), ('compacted', 0), ('swept', 0);
`;

/**
 * Pages that the journal takes before they are copied to the file (64 MiB of them). Commits wait
 * until both files are synced then, so rather seldom than often: at full load it takes 4 s to fill,
 * and whoever waits is one call of 150. A start after a kill reads it in some tenths of a second.
 */
const JOURNAL_PAGES = 8000;

/**
 * Opens or creates the file. Its locks are such that a second process is refused instead of forking
 * the revisions. A commit survives a power cut once the journal is synced after it.
 */
export const openDatabase = (file: string, journalPages = JOURNAL_PAGES): DatabaseSync => {
  const database = new DatabaseSync(file);
  try {
    // A claim has 1 to 2 kB. In pages of 4 KiB each would spill into a page of its own, in both
    // tables: twice the CPU and three times the bytes of a commit. An old file keeps its size.
    database.exec('PRAGMA page_size = 8192');
    // In exclusive mode the first access takes the file until it is closed.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec(`PRAGMA wal_autocheckpoint = ${journalPages}`);
    database.exec('PRAGMA cache_size = -32768');
    database.exec(SCHEMA);
    dropOldValues(database);
    return database;
  } catch (error) {
    database.close();
    if (!(error instanceof Error) || !/locked|busy/i.test(error.message)) throw error;
    throw failedPrecondition('STORE_IN_USE', `"${file}" is used by another process`, {
      metadata: { file },
      cause: error,
    });
  }
};

/** The first files had the values in both tables. */
const dropOldValues = (database: DatabaseSync): void => {
  const columns = database.prepare("SELECT 1 FROM pragma_table_info('kv') WHERE name = 'value'");
  if (columns.get() !== undefined) database.exec('ALTER TABLE kv DROP COLUMN value');
};

/** A row of `history`, integers as bigint. */
export type Row = {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly version: bigint;
  readonly leaseId: string;
  readonly deleted: boolean;
};

/** A prepared statement whose integers are bigint and whose rows are read as Row. */
export type Query = {
  readonly all: (...values: SQLInputValue[]) => Row[];
  readonly first: (...values: SQLInputValue[]) => Row | undefined;
};

export const prepareQuery = (database: DatabaseSync, sql: string): Query => {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  return {
    all: (...values) => statement.all(...values).map(toRow),
    first: (...values) => {
      const record = statement.get(...values);
      return record === undefined ? undefined : toRow(record);
    },
  };
};

/** The numbers of a row. */
export type Counts = Pick<Row, 'createRevision' | 'modRevision' | 'version'>;

export const prepareCounts = (
  database: DatabaseSync,
  sql: string,
): ((...values: SQLInputValue[]) => Counts | undefined) => {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  return (...values) => {
    const record = statement.get(...values);
    return record === undefined ? undefined : toCounts(record);
  };
};

export type MarkName = 'current' | 'compacted' | 'swept';
export type Marks = {
  readonly read: (name: MarkName) => bigint;
  readonly write: (name: MarkName, revision: bigint) => void;
};

export const openMarks = (database: DatabaseSync): Marks => {
  const select: StatementSync = database.prepare('SELECT revision FROM mark WHERE name = ?');
  select.setReadBigInts(true);
  const update = database.prepare('UPDATE mark SET revision = ? WHERE name = ?');
  return {
    read: (name) => toBigInt(select.get(name)?.revision),
    write: (name, revision) => {
      update.run(revision, name);
    },
  };
};

type Cell = SQLInputValue | undefined;

const toRow = (record: Record<string, Cell>): Row => ({
  key: toBytes(record.key),
  value: toBytes(record.value),
  ...toCounts(record),
  leaseId: String(record.lease_id ?? ''),
  deleted: record.deleted === 1n,
});

const toCounts = (record: Record<string, Cell>): Counts => ({
  createRevision: toBigInt(record.create_revision),
  modRevision: toBigInt(record.mod_revision),
  version: toBigInt(record.version),
});

const toBytes = (cell: Cell): Uint8Array => (cell instanceof Uint8Array ? cell : new Uint8Array());
const toBigInt = (cell: Cell): bigint => (typeof cell === 'bigint' ? cell : 0n);
