/** What all records of this service share: columns, locks, and rows found by name or uid. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { alreadyExists } from '../../runtime/errors.ts';
import { isUid } from '../../runtime/names.ts';
import type { SqlDialect } from '../../store/sql/migration.ts';
import { uniqueViolation } from '../../store/sql/store-error.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { keyOf, type NamedRecord } from '../domain/records.ts';
import type { HeadRow, InventoryTables } from './tables.ts';

export const db = (reader: Reader | Tx): Kysely<InventoryTables> =>
  reader.kysely<InventoryTables>();

export const HEAD_COLUMNS = [
  'uid',
  'name_id',
  'version',
  'generation',
  'create_ms',
  'update_ms',
  'doc',
] as const;

export const headRow = (record: NamedRecord) => ({
  uid: record.uid,
  name_id: record.id,
  id_key: keyOf(record.id),
  version: record.version,
  generation: record.generation,
  create_ms: record.createMs,
  update_ms: record.updateMs,
  doc: record.doc,
});

export const headOf = (row: Pick<HeadRow, (typeof HEAD_COLUMNS)[number]>): NamedRecord => ({
  uid: row.uid,
  id: row.name_id,
  version: Number(row.version),
  generation: Number(row.generation),
  createMs: Number(row.create_ms),
  updateMs: Number(row.update_ms),
  doc: row.doc,
});

/** Rows of that name or uid. */
export const called = (idOrUid: string): RawBuilder<boolean> =>
  isUid(idOrUid) ? sql<boolean>`uid = ${keyOf(idOrUid)}` : sql<boolean>`id_key = ${keyOf(idOrUid)}`;

/** Ids that may be seen, for a column of lower-case ids. */
export const among = (column: string, only: readonly string[] | undefined): RawBuilder<boolean> => {
  if (only === undefined) return sql<boolean>`1 = 1`;
  if (only.length === 0) return sql<boolean>`1 = 0`;
  return sql<boolean>`${sql.ref(column)} in (${sql.join(only.map(keyOf))})`;
};

/**
 * Row locks for the end of a select, until the transaction ends. SQLite has one writer at a time
 * and needs none.
 * https://www.postgresql.org/docs/15/explicit-locking.html#LOCKING-ROWS
 */
export type Locks = {
  /** Nobody else changes, deletes or keeps the row. */
  readonly forUpdate: RawBuilder<unknown>;
  /** Nobody else deletes the row; any number may keep it at once. */
  readonly forKeep: RawBuilder<unknown>;
};

export const locksOf = (dialect: SqlDialect): Locks =>
  dialect === 'postgresql'
    ? { forUpdate: sql`for update`, forKeep: sql`for key share` }
    : { forUpdate: sql``, forKeep: sql`` };

/** Runs an insert; a taken name becomes already_exists, another violation stays what it is. */
export const insertUnique = async (insert: Promise<unknown>, name: string): Promise<void> => {
  try {
    await insert;
  } catch (error) {
    const columns = uniqueViolation(error)?.columns ?? [];
    if (!columns.includes('id_key')) throw error;
    throw alreadyExists('ALREADY_EXISTS', `"${name}" exists already`, {
      metadata: { name },
      cause: error,
    });
  }
};
