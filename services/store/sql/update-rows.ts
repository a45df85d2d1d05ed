/**
 * Many rows by one statement, each with values of its own, found by its uid and by what else must
 * hold of it. As with insert-rows.ts PostgreSQL takes a column as an array.
 */
import { PostgresAdapter, type QueryExecutorProvider, type RawBuilder, sql } from 'kysely';
import { arraysOf, type ColumnTypes, valuesOf } from './insert-rows.ts';

export type Updating<Row> = {
  readonly table: string;
  /** Of all that the rows hold. */
  readonly columns: ColumnTypes<Row>;
  readonly rows: readonly Row[];
  /** Those of the columns that are written; the others serve `where`. */
  readonly written: readonly (keyof Row & string)[];
  /** Beside the uid: the table goes by its name, the row's values by `given`. */
  readonly where: RawBuilder<boolean>;
};

type AnyRow = Readonly<Record<string, string | number | null>> & { readonly uid: string };

/** Uids of those that were written. */
export const updateRows = async <Row extends AnyRow>(
  kysely: QueryExecutorProvider,
  { table, columns, rows, written, where }: Updating<Row>,
): Promise<ReadonlySet<string>> => {
  if (rows.length === 0) return new Set();
  const names = Object.keys(columns);
  const set = sql.join(written.map((name) => sql`${sql.ref(name)} = ${sql.ref(`given.${name}`)}`));
  const given =
    kysely.getExecutor().adapter instanceof PostgresAdapter
      ? sql`(${arraysOf(columns, rows)}) as given (${sql.join(names.map((one) => sql.ref(one)))})`
      : sql`(select ${sql.join(names.map(asColumn))} from (${valuesOf(names, rows)})) as given`;
  const { rows: found } = await sql<{ readonly uid: string }>`
    update ${sql.table(table)} set ${set} from ${given}
    where ${sql.ref(`${table}.uid`)} = given.uid and ${where}
    returning ${sql.ref(`${table}.uid`)}`.execute(kysely);
  return new Set(found.map(({ uid }) => uid));
};

/** SQLite names the columns of values by their number. */
const asColumn = (name: string, at: number) =>
  sql`${sql.ref(`column${at + 1}`)} as ${sql.ref(name)}`;
