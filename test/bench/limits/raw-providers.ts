/**
 * Writes the rows of an import that has been made once more, into an empty database with the same
 * tables and indexes, in as many transactions and over as many connections, with nothing but the
 * driver: arrays of columns, one statement a table and batch.
 *
 * Alone: node raw-providers.ts <url to read from> <url to write to>
 */
import pg from 'pg';
import { hasParent, serveParent } from '../serve-parent.ts';

export type RawCopy = {
  readonly from: string;
  readonly to: string;
  /** Providers in a transaction. */
  readonly batch: number;
};

const SCHEMA = 'inventory';
const TABLES = [
  'request',
  'provider',
  'provider_identifier',
  'provider_term',
  'change',
  'audit',
] as const;
const CONNECTIONS = 4;

type Column = { readonly name: string; readonly type: string };
type Rows = {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly values: readonly (readonly unknown[])[];
};

/** Seconds of writing. */
const copy = async ({ from, to, batch }: RawCopy): Promise<number> => {
  const tables = await readAll(from);
  const providers = tables.find(({ table }) => table === 'provider')?.values.length ?? 0;
  const batches = Math.max(1, Math.ceil(providers / batch));
  const pool = new pg.Pool({ connectionString: to, max: CONNECTIONS });
  const startMs = performance.now();
  let next = 0;
  const worker = async () => {
    const client = await pool.connect();
    while (next < batches) {
      const at = next;
      next += 1;
      await client.query('begin');
      for (const rows of tables) await insert(client, rows, { at, batches });
      await client.query('commit');
    }
    client.release();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const seconds = (performance.now() - startMs) / 1000;
  await pool.end();
  return seconds;
};

const readAll = async (url: string): Promise<readonly Rows[]> => {
  const client = new pg.Client(url);
  await client.connect();
  const all: Rows[] = [];
  for (const table of TABLES) {
    const columns = await columnsOf(client, table);
    const names = columns.map(({ name }) => `"${name}"`).join(', ');
    const only = table === 'request' || table === 'audit' ? ONLY[table] : '';
    const { rows } = await client.query({
      text: `select ${names} from ${SCHEMA}.${table} ${only}`,
      rowMode: 'array',
    });
    all.push({ table, columns, values: rows });
  }
  await client.end();
  return all;
};

/** What the import wrote, not what made its partition and groups. */
const ONLY = {
  request: `where method like '%BatchUpsertProviders'`,
  audit: `where action = 'provider.create'`,
};

/** All but what the database numbers itself. */
const columnsOf = async (client: pg.Client, table: string): Promise<readonly Column[]> => {
  const { rows } = await client.query<Column>(
    `select column_name as name, data_type as type from information_schema.columns
     where table_schema = $1 and table_name = $2 and column_name not in ('id', 'seq', 'xid')
     order by ordinal_position`,
    [SCHEMA, table],
  );
  return rows;
};

type Part = { readonly at: number; readonly batches: number };

const insert = async (
  client: pg.PoolClient,
  { table, columns, values }: Rows,
  { at, batches }: Part,
): Promise<void> => {
  const bound = (index: number) => Math.floor((index * values.length) / batches);
  const part = values.slice(bound(at), bound(at + 1));
  if (part.length === 0) return;
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
  await client.query(
    `insert into ${SCHEMA}.${table} (${names}) select * from unnest(${arrays})`,
    columns.map((_, index) => part.map((row) => row[index])),
  );
};

if (hasParent()) {
  serveParent({ copy });
} else {
  const [from = '', to = ''] = process.argv.slice(2);
  console.log(`${(await copy({ from, to, batch: 500 })).toFixed(1)} s`);
}
