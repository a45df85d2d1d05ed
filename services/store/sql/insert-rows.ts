/**
 * Many rows by one statement. PostgreSQL takes a column as one value, an array: to parse and plan
 * thousands of values costs it more than to write them. SQLite has no arrays and minds less.
 */
import {
  CompiledQuery,
  PostgresAdapter,
  type QueryExecutorProvider,
  type RawBuilder,
  sql,
} from 'kysely';
import { arrayOf } from './array-of.ts';

/** Types of the columns of the rows, by name, in any order. */
export type ColumnTypes<Row> = { readonly [Name in keyof Row]: 'text' | 'bigint' };

export type Insertion<Row> = {
  readonly table: string;
  readonly columns: ColumnTypes<Row>;
  readonly rows: readonly Row[];
  /**
   * `on conflict …`; 'keep': what is there already stays as it is. Absent: a conflict is an error.
   */
  readonly conflict?: RawBuilder<unknown> | 'keep';
};

const KEEP = 'on conflict do nothing';

type AnyRow = Readonly<Record<string, string | number | null>>;

/** SQLite binds at most 32 766 values in a statement. */
const VALUES_MAX = 30_000;

/** How many were written. */
export const insertRows = async <Row extends AnyRow>(
  kysely: QueryExecutorProvider,
  insertion: Insertion<Row>,
): Promise<number> => {
  const { table, columns, rows } = insertion;
  const conflict = insertion.conflict === 'keep' ? sql.raw(KEEP) : insertion.conflict;
  if (rows.length === 0) return 0;
  const names = Object.keys(columns);
  const listed = sql.join(names.map((name) => sql.ref(name)));
  const hasArrays = kysely.getExecutor().adapter instanceof PostgresAdapter;
  const isPlain = insertion.conflict === undefined || insertion.conflict === 'keep';
  if (!hasArrays && isPlain) return insertPlainly(kysely, insertion, names);
  const size = hasArrays ? rows.length : Math.floor(VALUES_MAX / names.length);
  let written = 0n;
  for (let at = 0; at < rows.length; at += size) {
    const some = rows.slice(at, at + size);
    const source = hasArrays ? arraysOf(columns, some) : valuesOf(names, some);
    const { numAffectedRows = 0n } = await sql`
      insert into ${sql.table(table)} (${listed}) ${source} ${conflict ?? sql``}`.execute(kysely);
    written += numAffectedRows;
  }
  return Number(written);
};

/** Rows of a statement, from the most to one: few texts, which SQLite has compiled already. */
const PLAIN_SIZES = [128, 16, 1];

/** Without Kysely's tree of the statement, which costs more than to write the rows. */
const insertPlainly = async (
  kysely: QueryExecutorProvider,
  { table, rows, conflict }: Pick<Insertion<AnyRow>, 'table' | 'rows' | 'conflict'>,
  names: readonly string[],
): Promise<number> => {
  const into = `insert into ${quoted(table)} (${names.map(quoted).join(', ')}) values `;
  const row = `(${names.map(() => '?').join(', ')})`;
  const end = conflict === 'keep' ? ` ${KEEP}` : '';
  let at = 0;
  let written = 0n;
  for (const size of PLAIN_SIZES) {
    const text = into + Array.from({ length: size }, () => row).join(', ') + end;
    for (; rows.length - at >= size; at += size) {
      const values = rows.slice(at, at + size).flatMap((one) => names.map((name) => one[name]));
      const statement = CompiledQuery.raw(text, values);
      const { numAffectedRows = 0n } = await kysely.getExecutor().executeQuery(statement);
      written += numAffectedRows;
    }
  }
  return Number(written);
};

/** Names of ours, without quotes of their own. */
const quoted = (name: string): string => `"${name}"`;

export const arraysOf = <Row extends AnyRow>(
  columns: ColumnTypes<Row>,
  rows: readonly Row[],
): RawBuilder<unknown> => {
  const arrays = Object.entries<string>(columns).map(([name, type]) =>
    arrayOf(
      rows.map((row) => row[name] ?? null),
      type,
    ),
  );
  return sql`select * from unnest(${sql.join(arrays)})`;
};

export const valuesOf = (names: readonly string[], rows: readonly AnyRow[]): RawBuilder<unknown> =>
  sql`values ${sql.join(rows.map((row) => sql`(${sql.join(names.map((name) => row[name]))})`))}`;
