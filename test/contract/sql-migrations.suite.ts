import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import type { Migration } from '../../services/store/sql/migration.ts';
import type { SqlSubject } from './sql.suite.ts';
import { addBooks, bookMigrations, countRows, openBooks } from './sql-fixture.ts';

/** How every database is brought up to the code. */
export const sqlMigrationsSuite = (subject: SqlSubject): void => {
  const { test } = subject;
  const addsColumn: Migration = {
    name: '0002-author',
    up: async ({ kysely, type }) => {
      await kysely.schema.alterTable('book').addColumn('author', type.text).execute();
    },
  };
  const breaks: Migration = {
    name: '0002-breaks',
    up: async ({ createTable, kysely }) => {
      await createTable('half', (table) => table);
      await kysely.schema.dropTable('nowhere').execute();
    },
  };

  test('a later release adds its steps and keeps the rows', async (t) => {
    const url = await subject.createUrl(t);
    if (url === 'sqlite::memory:') {
      t.pass('a database in memory is always new');
      return;
    }
    const first = await openBooks(url);
    await addBooks(first, ['Dune']);
    await first.close();
    const second = await openBooks(url, { migrations: [...bookMigrations, addsColumn] });
    t.teardown(() => second.close());
    t.deepEqual(await countRows(second, 'book', 'migration'), [1, 3]);
    const [row] = await second.read(({ kysely }) =>
      kysely<Record<string, object>>().selectFrom('book').selectAll().execute(),
    );
    t.like(row, { name: 'Dune', author: null });
  });

  test('an older release refuses a database that a newer one has migrated', async (t) => {
    const url = await subject.createUrl(t);
    if (url === 'sqlite::memory:') {
      t.pass('a database in memory is always new');
      return;
    }
    const newer = await openBooks(url, { migrations: [...bookMigrations, addsColumn] });
    await newer.close();
    const error = await t.throwsAsync(openBooks(url), { message: /0002-author.*newer release/s });
    t.true(isDomainError(error, 'failed_precondition', 'STORE_NEWER_THAN_CODE'));
  });

  test('a step that fails leaves the database as it was', async (t) => {
    const url = await subject.createUrl(t);
    await t.throwsAsync(openBooks(url, { migrations: [...bookMigrations, breaks] }), {
      message: /nowhere/,
    });
    const store = await openBooks(url);
    t.teardown(() => store.close());
    t.deepEqual(await countRows(store, 'book', 'migration'), [0, 2]);
    await t.throwsAsync(countRows(store, 'half'));
  });

  test('steps that are not in the order of their names are refused', async (t) => {
    const url = await subject.createUrl(t);
    for (const migrations of [
      [addsColumn, ...bookMigrations],
      [addsColumn, addsColumn],
    ]) {
      await t.throwsAsync(openBooks(url, { migrations }), {
        message: /in the order of their names/,
      });
    }
  });

  test('every step is applied once when several processes start together', async (t) => {
    const url = await subject.createUrl(t);
    if (!url.startsWith('postgresql:')) {
      t.pass('the state directory admits one process');
      return;
    }
    let runs = 0;
    const slow: Migration = {
      name: '0002-slow',
      up: async (db) => {
        runs += 1;
        await systemClock.sleep(50);
        await addsColumn.up(db);
      },
    };
    const migrations = [...bookMigrations, slow];
    const stores = await Promise.all([1, 2, 3, 4].map(() => openBooks(url, { migrations })));
    t.teardown(() => Promise.all(stores.map((store) => store.close())));
    t.is(runs, 1);
    for (const store of stores) {
      t.deepEqual(await countRows(store, 'migration', 'meta'), [3, 1]);
    }
  });
};
