import { type CreateTableBuilder, type Kysely, type RawBuilder, sql } from 'kysely';

/**
 * A step of a schema, written by hand once for both databases. Forward only: what is released is
 * never edited, a mistake is repaired by the next step. All pending steps run in one transaction,
 * so a failed start leaves nothing half done.
 */
export type Migration = {
  /** `0001-providers`: sorts and never changes; it is the identity of the step. */
  readonly name: string;
  readonly up: (db: MigrationDb) => Promise<void>;
};

export type SqlDialect = 'sqlite' | 'postgresql';

export type MigrationDb = {
  readonly dialect: SqlDialect;
  /** Schema builder and, for data, queries; bound to the migration's transaction. */
  readonly kysely: Kysely<MigrationTables>;
  readonly type: ColumnTypes;
  /** Creates the table with `id`, the internal primary key, and whatever `columns` adds. */
  readonly createTable: (table: string, columns: AddColumns) => Promise<void>;
  /** Creates `<table>_<columns>_unique`; `where` makes it partial, e.g. only living rows. */
  readonly createUnique: (
    table: string,
    columns: string[],
    where?: RawBuilder<boolean>,
  ) => Promise<void>;
  /** Creates `<table>_<columns>_index`. Every filter with an order needs its compound index. */
  readonly createIndex: (table: string, columns: string[]) => Promise<void>;
};

export type AddColumns = (table: TableBuilder) => TableBuilder;
export type TableBuilder = CreateTableBuilder<string, string>;
/** Migrations name tables and columns as text: there is no static schema while it is being made. */
export type MigrationTables = Record<string, Record<string, unknown>>;

/**
 * Column types that mean the same on both databases, and the same as MikroORM's `p.*` of that name.
 */
export type ColumnTypes = {
  /** `p.uuid()`. */
  readonly uid: RawBuilder<unknown>;
  /** `p.text()`, `p.string()`, enums. Compared and ordered bytewise on both. */
  readonly text: RawBuilder<unknown>;
  readonly integer: RawBuilder<unknown>;
  /** Whole numbers up to 2^53 as numbers; `p.bigint('number')`. */
  readonly bigint: RawBuilder<unknown>;
  readonly double: RawBuilder<unknown>;
  readonly boolean: RawBuilder<unknown>;
  /** `p.datetime()`, to the millisecond. */
  readonly datetime: RawBuilder<unknown>;
  readonly json: RawBuilder<unknown>;
  readonly bytes: RawBuilder<unknown>;
};

const COLUMN_TYPES: Record<SqlDialect, ColumnTypes> = {
  sqlite: {
    uid: sql`text`,
    text: sql`text`,
    integer: sql`integer`,
    bigint: sql`integer`,
    double: sql`real`,
    boolean: sql`integer`,
    datetime: sql`datetime`,
    json: sql`json`,
    bytes: sql`blob`,
  },
  postgresql: {
    uid: sql`uuid`,
    text: sql`text collate "C"`,
    integer: sql`integer`,
    bigint: sql`bigint`,
    double: sql`double precision`,
    boolean: sql`boolean`,
    datetime: sql`timestamptz(3)`,
    json: sql`jsonb`,
    bytes: sql`bytea`,
  },
};

/** PostgreSQL cuts longer names silently, and two cut names may collide. */
const IDENTIFIER_CHARS_MAX = 63;

export const migrationDb = (kysely: Kysely<MigrationTables>, dialect: SqlDialect): MigrationDb => ({
  dialect,
  kysely,
  type: COLUMN_TYPES[dialect],
  createTable: async (table, columns) => {
    await columns(withId(kysely.schema.createTable(named(table)), dialect)).execute();
  },
  createUnique: async (table, columns, where) => {
    const name = named(`${table}_${columns.join('_')}_unique`);
    const index = kysely.schema.createIndex(name).unique().on(table).columns(columns);
    await (where === undefined ? index : index.where(where)).execute();
  },
  createIndex: async (table, columns) => {
    const name = named(`${table}_${columns.join('_')}_index`);
    await kysely.schema.createIndex(name).on(table).columns(columns).execute();
  },
});

const named = (name: string): string => {
  if (name.length > IDENTIFIER_CHARS_MAX) {
    throw new Error(`"${name}" has ${name.length} characters, ${IDENTIFIER_CHARS_MAX} are allowed`);
  }
  return name;
};

/** `autoincrement`, so that SQLite never gives the number of a deleted row to a new one. */
const withId = (table: TableBuilder, dialect: SqlDialect): TableBuilder =>
  dialect === 'sqlite'
    ? table.addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    : table.addColumn('id', 'bigint', (column) =>
        column.primaryKey().generatedByDefaultAsIdentity(),
      );
