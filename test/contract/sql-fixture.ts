import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { Migration } from '../../services/store/sql/migration.ts';
import { type OpenSqlOptions, openSql, type SqlStore } from '../../services/store/sql/open.ts';
import type { RequestKey } from '../../services/store/sql/request-row.ts';
import type { Actor, Tx } from '../../services/store/sql/transaction.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';

/** A small service's store, for the contract suite: books on shelves. */
export const Book = defineEntity({
  name: 'Book',
  tableName: 'book',
  properties: {
    id: p.integer().primary(),
    uid: p.uuid(),
    shelf: p.string(),
    name: p.string(),
    version: p.integer().version(),
    pages: p.bigint('number').default(0),
    createTime: p.datetime(),
    labels: p.json<Record<string, string>>().$type<Record<string, string>>(),
  },
});
export type Book = InferEntity<typeof Book>;

/** Columns as the query builder sees them. */
export type BookTables = {
  readonly book: {
    readonly id: number;
    readonly uid: string;
    readonly shelf: string;
    readonly name: string;
    readonly version: number;
  };
};

export const bookMigrations: readonly Migration[] = [
  {
    name: '0001-book',
    up: async ({ createTable, createUnique, createIndex, type }) => {
      await createTable('book', (table) =>
        table
          .addColumn('uid', type.uid, (column) => column.notNull())
          .addColumn('shelf', type.text, (column) => column.notNull())
          .addColumn('name', type.text, (column) => column.notNull())
          .addColumn('version', type.integer, (column) => column.notNull().defaultTo(1))
          .addColumn('pages', type.bigint, (column) => column.notNull().defaultTo(0))
          .addColumn('create_time', type.datetime, (column) => column.notNull())
          .addColumn('labels', type.json, (column) => column.notNull()),
      );
      await createUnique('book', ['uid']);
      await createUnique('book', ['shelf', 'name']);
      await createIndex('book', ['shelf', 'id']);
    },
  },
];

export const actor: Actor = { principal: 'users/tester', requestId: 'r-1' };

export const openBooks = (url: string, more: Partial<OpenSqlOptions> = {}): Promise<SqlStore> =>
  openSql({
    service: 'library',
    url,
    entities: [Book],
    migrations: bookMigrations,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...more,
    limits: { ...PATIENCE, ...more.limits },
  });

/** The key of a request whose arguments are `text` and whose answer is text. */
export const keyOf = (requestId: string, text: string, more: Partial<RequestKey<string>> = {}) => ({
  requestId,
  method: '/library.v1.BookService/CreateBook',
  caller: 'users/tester',
  argumentHash: Buffer.from(text),
  encodeAnswer: (answer: string) => Buffer.from(answer),
  decodeAnswer: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
  ...more,
});

/** Adds a book with its change and audit rows; gives its uid. */
export const addBook = (tx: Tx, name: string, shelf = 'a'): string => {
  const uid = systemRandom.uid();
  tx.em.create(Book, { uid, shelf, name, createTime: systemClock.now(), labels: { name } });
  tx.change({ kind: 'book', uid });
  tx.audit({ action: 'book.create', objectKind: 'book', objectUid: uid, objectName: name });
  return uid;
};

export const addBooks = (store: SqlStore, names: readonly string[]): Promise<readonly string[]> =>
  store.transaction(undefined, actor, async (tx) => names.map((name) => addBook(tx, name)));

/** How many rows each of these tables holds. */
export const countRows = (store: SqlStore, ...tables: string[]): Promise<readonly number[]> =>
  store.read(({ kysely }) =>
    Promise.all(
      tables.map(async (table) => {
        const { count } = await kysely<Record<string, object>>()
          .selectFrom(table)
          .select((build) => build.fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow();
        return Number(count);
      }),
    ),
  );
