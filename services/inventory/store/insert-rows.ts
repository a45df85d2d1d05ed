/**
 * Many rows by one statement. PostgreSQL takes a column as one value, an array: to parse and plan
 * thousands of values costs it more than to write them. SQLite has no arrays and minds less.
 */
import { PostgresAdapter, type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../store/sql/transaction.ts';
import { chunksOf } from './chunks.ts';
import { db } from './rows.ts';
import type { InventoryTables } from './tables.ts';

/** Types of the columns of the rows, by name, in any order. */
export type ColumnTypes<Row> = { readonly [Name in keyof Row]: 'text' | 'bigint' };

type Insertion<Row> = {
  readonly table: keyof InventoryTables;
  readonly columns: ColumnTypes<Row>;
  readonly rows: readonly Row[];
  /** `on conflict …`. */
  readonly conflict: RawBuilder<unknown>;
};

/** How many were written. */
export const insertRows = async <Row extends Readonly<Record<string, string | number>>>(
  tx: Tx,
  { table, columns, rows, conflict }: Insertion<Row>,
): Promise<number> => {
  const kysely = db(tx);
  const names = Object.keys(columns);
  const listed = sql.join(names.map((name) => sql.ref(name)));
  const hasArrays = kysely.getExecutor().adapter instanceof PostgresAdapter;
  const sourceOf = (some: readonly Row[]): RawBuilder<unknown> =>
    hasArrays ? arraysOf(columns, some) : valuesOf(names, some);
  let written = 0n;
  for (const chunk of hasArrays ? [rows] : chunksOf(rows, names.length)) {
    if (chunk.length === 0) continue;
    const { numAffectedRows = 0n } = await sql`
      insert into ${sql.table(table)} (${listed}) ${sourceOf(chunk)} ${conflict}`.execute(kysely);
    written += numAffectedRows;
  }
  return Number(written);
};

const arraysOf = <Row extends Readonly<Record<string, string | number>>>(
  columns: ColumnTypes<Row>,
  rows: readonly Row[],
): RawBuilder<unknown> => {
  const arrays = Object.entries<string>(columns).map(
    ([name, type]) => sql`${rows.map((row) => row[name])}::${sql.raw(type)}[]`,
  );
  return sql`select * from unnest(${sql.join(arrays)})`;
};

const valuesOf = <Row extends Readonly<Record<string, string | number>>>(
  names: readonly string[],
  rows: readonly Row[],
): RawBuilder<unknown> =>
  sql`values ${sql.join(rows.map((row) => sql`(${sql.join(names.map((name) => row[name]))})`))}`;
