import type { ExecutionContext, TestFn } from 'ava';
import { sql } from 'kysely';
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { parseDatabaseUrl } from '../../services/store/sql/database-url.ts';
import { storeLimits } from '../../services/store/sql/limits.ts';
import type { OpenSqlOptions, SqlStore } from '../../services/store/sql/open.ts';
import { createDatabase } from '../../services/store/sql/orm.ts';
import {
  behindKey,
  checkEtag,
  closePage,
  etagOf,
  openPage,
} from '../../services/store/sql/page.ts';
import { uniqueViolation } from '../../services/store/sql/store-error.ts';
import { eventually } from '../support/eventually.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';
import {
  actor,
  addBook,
  addBooks,
  Book,
  type BookTables,
  countRows,
  keyOf,
  openBooks,
} from './sql-fixture.ts';

/** What every SQL database must do for a service. */
export type SqlSubject = {
  readonly test: TestFn;
  /** The url of a database that nobody else uses; gone after the test. */
  readonly createUrl: (t: ExecutionContext) => Promise<string>;
  readonly options?: Partial<OpenSqlOptions>;
};

export const storeOf = async (
  { createUrl, options }: SqlSubject,
  t: ExecutionContext,
  more: Partial<OpenSqlOptions> = {},
): Promise<SqlStore> => {
  const store = await openBooks(await createUrl(t), { ...options, ...more });
  t.teardown(() => store.close());
  return store;
};

export const sqlSuite = (subject: SqlSubject): void => {
  isolationTests(subject);
  rowTests(subject);
  sweepTests(subject);
};

const EVERYTHING = ['book', 'request', 'change', 'audit'];

const isolationTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('a write beside an open transaction is not rolled back with it', async (t) => {
    const store = await storeOf(subject, t);
    const begun = Promise.withResolvers<void>();
    const proceed = Promise.withResolvers<void>();
    const failing = store.transaction(undefined, actor, async (tx) => {
      addBook(tx, 'undone');
      await tx.em.flush();
      begun.resolve();
      await proceed.promise;
      throw new Error('no');
    });
    await begun.promise;
    const beside = addBooks(store, ['kept']);
    proceed.resolve();
    await t.throwsAsync(failing, { message: 'no' });
    await beside;
    const books = await store.read(({ em }) => em.find(Book, {}));
    t.deepEqual(
      books.map((book) => book.name),
      ['kept'],
    );
  });

  test('store.read and store.transaction inside a transaction are refused at once', async (t) => {
    const store = await storeOf(subject, t);
    for (const inner of [
      () => store.read(async () => undefined),
      () => store.transaction(undefined, actor, async () => undefined),
    ]) {
      await t.throwsAsync(
        store.transaction(undefined, actor, () => inner()),
        { message: /use the tx it was given/ },
      );
    }
    await addBooks(store, ['still works']);
  });

  test('a transaction that takes too long is rolled back, and its late statements fail', async (t) => {
    const url = await subject.createUrl(t);
    const [store, patient] = [
      await openBooks(url, { limits: { transactionMs: 600 } }),
      await openBooks(url),
    ];
    t.teardown(() => Promise.all([store.close(), patient.close()]));
    const proceed = Promise.withResolvers<void>();
    let late: Promise<unknown> | undefined;
    const hanging = store.transaction(undefined, actor, async (tx) => {
      addBook(tx, 'never');
      late = proceed.promise.then(() => tx.em.execute("update book set name = 'late'"));
      await tx.em.flush();
      await proceed.promise;
    });
    const error = await t.throwsAsync(hanging);
    t.true(isDomainError(error, 'unavailable', 'STORE_BUSY'));
    proceed.resolve();
    await t.throwsAsync(async () => late);
    await addBooks(patient, ['next']);
    t.deepEqual(await countRows(patient, 'book'), [1]);
  });

  test('a statement sent while its transaction ends does not run outside of it', async (t) => {
    const url = await subject.createUrl(t);
    const store = await openBooks(url);
    const limits = { ...storeLimits, ...PATIENCE };
    const deps = { service: 'library', entities: [], limits, log: silentLog };
    const database = createDatabase({ ...deps, url: parseDatabaseUrl(url), clock: systemClock });
    t.teardown(() => Promise.all([database.close(), store.close()]));
    for (const end of ['commit', 'rollback'] as const) {
      const { handle } = await database.begin();
      const ending = handle[end]().execute();
      await t.throwsAsync(sql`create table late (id integer)`.execute(handle));
      await ending;
      await t.throwsAsync(sql`select 1 from late`.execute(database.writer()));
    }
  });

  test('an entity manager kept after its transaction can neither read nor write', async (t) => {
    const store = await storeOf(subject, t);
    const kept = await store.transaction(undefined, actor, async (tx) => tx.em);
    await t.throwsAsync(kept.find(Book, {}));
    kept.create(Book, {
      uid: '019b3c1e-0000-7000-8000-000000000000',
      shelf: 'a',
      name: 'sneaked in',
      createTime: systemClock.now(),
      labels: {},
    });
    await t.throwsAsync(kept.flush());
    t.deepEqual(await countRows(store, 'book'), [0]);
  });

  test('many transactions at once all happen', async (t) => {
    const store = await storeOf(subject, t);
    const names = Array.from({ length: 60 }, (_, index) => `book-${index}`);
    await Promise.all(names.map((name) => addBooks(store, [name])));
    t.deepEqual(await countRows(store, ...EVERYTHING), [60, 0, 60, 60]);
  });
};

const rowTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('a unique violation names its index and columns', async (t) => {
    const store = await storeOf(subject, t);
    await addBooks(store, ['Dune']);
    const error = await t.throwsAsync(addBooks(store, ['Dune']), {
      name: 'UniqueConstraintViolationException',
    });
    t.deepEqual(uniqueViolation(error), {
      constraint: 'book_shelf_name_unique',
      table: 'book',
      columns: ['shelf', 'name'],
    });
    t.is(uniqueViolation(new Error('something else')), undefined);
  });

  test('an entity comes back as it was stored', async (t) => {
    const store = await storeOf(subject, t);
    const createTime = systemClock.now();
    const values = { name: 'd\'A\\"?', shelf: 'ä', pages: 2 ** 45, labels: { 'a"b': "c'd\\e" } };
    const uid = systemRandom.uid();
    await store.transaction(undefined, actor, async (tx) => {
      tx.em.create(Book, { uid, createTime, ...values });
    });
    const book = await store.read(({ em }) => em.findOneOrFail(Book, { uid }));
    t.like(book, { uid, version: 1, ...values });
    t.deepEqual(book.createTime, createTime);
  });

  test('texts of any kind are written as they are, many at a time', async (t) => {
    const store = await storeOf(subject, t);
    const texts = ['', 'a "quoted" one', 'back\\slash', 'two\nlines', '{a,b}', 'NULL', 'größer'];
    const odd = ['\u001f', 'x\u001fy', '\u001e'];
    for (const names of [texts, [...texts, ...odd], [''], odd]) {
      await store.transaction(undefined, actor, async (tx) => {
        for (const [at, objectName] of names.entries()) {
          const rest = at % 2 === 0 ? {} : { after: { objectName } };
          tx.audit({ action: 'write', objectKind: 'k', objectUid: `${at}`, objectName, ...rest });
        }
      });
      const rows = await store.read(({ kysely }) =>
        kysely<{ audit: { id: number; object_name: string; after: string | null } }>()
          .selectFrom('audit')
          .select(['object_name', 'after'])
          .orderBy('id')
          .execute(),
      );
      const written = rows.slice(-names.length);
      t.deepEqual(
        written.map((row) => row.object_name),
        names,
      );
      t.deepEqual(
        written.map(({ after }) => (after === null ? null : JSON.parse(after).objectName)),
        names.map((name, at) => (at % 2 === 0 ? null : name)),
      );
    }
  });

  test('a list is paged by its key, and names are ordered bytewise', async (t) => {
    const store = await storeOf(subject, t);
    await addBooks(store, ['b', 'a', 'B', 'ä', 'c_1', 'c-1', 'C']);
    const list = (pageToken: string, shelf = 'a') =>
      store.read(async ({ kysely }) => {
        const page = openPage({
          pageSize: 3,
          pageToken,
          otherArguments: { shelf },
          incarnation: store.incarnation(),
          sizeDefault: 50,
          sizeMax: 1000,
        });
        const rows = await kysely<BookTables>()
          .selectFrom('book')
          .select(['name', 'uid'])
          .where('shelf', '=', shelf)
          .where(behindKey(['name', 'uid'], page))
          .orderBy('name')
          .orderBy('uid')
          .limit(page.limit)
          .execute();
        return closePage(page, rows, (row) => [row.name, row.uid]);
      });
    const names: string[][] = [];
    let token = '';
    do {
      const { rows, nextPageToken } = await list(token);
      names.push(rows.map((row) => row.name));
      token = nextPageToken;
    } while (token !== '');
    t.deepEqual(names, [['B', 'C', 'a'], ['b', 'c-1', 'c_1'], ['ä']]);
    const { nextPageToken } = await list('');
    const error = await t.throwsAsync(list(nextPageToken, 'b'));
    t.true(isDomainError(error, 'invalid_argument', 'PAGE_TOKEN_MISMATCH'));
  });

  test('two edits of the same version: the second is refused, and the etag tells them apart', async (t) => {
    const store = await storeOf(subject, t);
    const [uid = ''] = await addBooks(store, ['Dune']);
    const etag = etagOf({ uid, version: 1 }, store.incarnation());
    const rename = (name: string) =>
      store.transaction(undefined, actor, async (tx) => {
        const book = await tx.em.findOneOrFail(Book, { uid });
        checkEtag(etag, etagOf(book, store.incarnation()));
        book.name = name;
        await tx.em.flush();
        return book.version;
      });
    t.is(await rename('Dune Messiah'), 2);
    const error = await t.throwsAsync(rename('Emma'));
    t.true(isDomainError(error, 'aborted', 'ETAG_MISMATCH'));
  });
};

const sweepTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('answers are kept for a day and then swept, a bounded number at a time', async (t) => {
    let aheadMs = 0;
    const clock = {
      ...systemClock,
      now: () => new Date(systemClock.now().getTime() + aheadMs),
    };
    const store = await storeOf(subject, t, { clock, limits: { sweepRows: 3 } });
    const ask = (id: number) =>
      store.transaction(keyOf(`r-${id}`, 'x'), actor, async (tx) => addBook(tx, `book-${id}`));
    for (let id = 0; id < 7; id += 1) {
      await ask(id);
    }
    aheadMs = 23.9 * 3_600_000;
    t.is((await store.sweep(AbortSignal.timeout(60_000))).requests, 0);
    await ask(7);
    aheadMs = 24.1 * 3_600_000;
    t.is((await store.sweep(AbortSignal.timeout(60_000))).requests, 7);
    t.deepEqual(await countRows(store, 'request'), [1]);
  });

  test('sweeping runs by itself', async (t) => {
    const store = await storeOf(subject, t, {
      limits: { sweepMs: 20, requestRetentionMs: -1_000 },
    });
    await store.transaction(keyOf('r-1', 'x'), actor, async (tx) => addBook(tx, 'Dune'));
    await eventually(async () => (await countRows(store, 'request'))[0] === 0);
    t.pass();
  });
};
