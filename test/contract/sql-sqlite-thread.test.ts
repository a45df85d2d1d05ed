/** SQLite whose writing connection has a thread of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sql } from 'kysely';
import { isDomainError } from '../../services/runtime/errors.ts';
import { connectInThread } from '../../services/store/sql/sqlite-connection.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { type SqlSubject, sqlSuite, storeOf } from './sql.suite.ts';
import { actor, addBooks, countRows, openBooks } from './sql-fixture.ts';
import { sqlRequestsSuite } from './sql-requests.suite.ts';

const directoryOf = (t: ExecutionContext): string => {
  const dir = temporaryDir({ inMemory: true });
  t.teardown(() => dir[Symbol.dispose]());
  return dir.path;
};

const options = { writesInThread: true };

const subject: SqlSubject = {
  test,
  createUrl: async (t) => `sqlite:${join(directoryOf(t), 'library.db')}`,
  options,
};

sqlSuite(subject);
sqlRequestsSuite(subject);

test('its commits are synced, and readers in the process see them', async (t) => {
  const store = await storeOf(subject, t);
  const { rows } = await store.transaction(undefined, actor, ({ kysely }) =>
    sql<{ synchronous: number }>`pragma synchronous`.execute(kysely()),
  );
  t.is(rows[0]?.synchronous, 2);
  await addBooks(store, ['Dune']);
  t.deepEqual(await countRows(store, 'book'), [1]);
});

test('what SQLite refuses is told with its code, and the next statement is answered', async (t) => {
  const file = join(directoryOf(t), 'notes.txt');
  writeFileSync(file, 'these are notes and no database, however long they are '.repeat(20));
  const damaged = await t.throwsAsync(openBooks(`sqlite:${file}`, options));
  t.true(isDomainError(damaged, 'internal', 'STORE_CORRUPT'));
  const store = await storeOf(subject, t);
  const unknown = store.transaction(undefined, actor, ({ kysely }) =>
    sql`select ${Symbol('what')} as what`.execute(kysely()),
  );
  await t.throwsAsync(unknown, { message: /could not be cloned/ });
  await addBooks(store, ['Dune']);
});

const DYING = new URL('../support/dying-sqlite-thread.ts', import.meta.url);

test('who waits for a thread that is gone is told, and it can be closed', async (t) => {
  const file = join(directoryOf(t), 'library.db');
  const connection = connectInThread(file, DYING);
  const message = 'The SQLite connection is closed';
  await t.throwsAsync(connection.run('select 1', []), { message });
  await t.throwsAsync(connection.run('select 1', []), { message });
  await connection.close();
  await connection.close();
});
