import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { sql } from 'kysely';
import { isDomainError } from '../../services/runtime/errors.ts';
import type { Migration } from '../../services/store/sql/migration.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { type SqlSubject, sqlSuite, storeOf } from './sql.suite.ts';
import { sqlChangesSuite } from './sql-changes.suite.ts';
import { actor, addBook, addBooks, countRows, openBooks } from './sql-fixture.ts';
import { sqlMigrationsSuite } from './sql-migrations.suite.ts';
import { sqlRequestsSuite } from './sql-requests.suite.ts';

/** What the shell command gives when it cannot mount. */
const NO_NAMESPACE = 77;

const directoryOf = (t: ExecutionContext): string => {
  const dir = temporaryDir({ inMemory: true });
  t.teardown(() => dir[Symbol.dispose]());
  return dir.path;
};

const subject: SqlSubject = {
  test,
  createUrl: async (t) => `sqlite:${join(directoryOf(t), 'library.db')}`,
};

sqlSuite(subject);
sqlChangesSuite(subject);
sqlMigrationsSuite(subject);
sqlRequestsSuite(subject);

test('reads do not wait for an open transaction, and see none of it', async (t) => {
  const store = await storeOf(subject, t);
  await addBooks(store, ['kept']);
  const begun = Promise.withResolvers<void>();
  const proceed = Promise.withResolvers<void>();
  const open = store.transaction(undefined, actor, async (tx) => {
    addBook(tx, 'open');
    await tx.em.flush();
    begun.resolve();
    await proceed.promise;
  });
  await begun.promise;
  t.deepEqual(await countRows(store, 'book'), [1]);
  proceed.resolve();
  await open;
  t.deepEqual(await countRows(store, 'book'), [2]);
});

test('the writing connection syncs every commit and enforces foreign keys', async (t) => {
  const store = await storeOf(subject, t);
  const pragmas = await store.transaction(undefined, actor, async ({ kysely }) =>
    Promise.all(
      ['synchronous', 'foreign_keys', 'journal_mode'].map(async (name) => {
        const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(
          kysely(),
        );
        return rows[0]?.[name];
      }),
    ),
  );
  t.deepEqual(pragmas, [2, 1, 'wal']);
});

test('the reading connection cannot write', async (t) => {
  const store = await storeOf(subject, t);
  await t.throwsAsync(
    store.read(({ kysely }) => sql`update meta set incarnation = 7`.execute(kysely())),
  );
  t.is(store.incarnation(), 1);
});

test('the database files are private', async (t) => {
  const dir = directoryOf(t);
  const store = await openBooks(`sqlite:${join(dir, 'library.db')}`);
  t.teardown(() => store.close());
  await addBooks(store, ['Dune']);
  const modes = readdirSync(dir).map((file) => statSync(join(dir, file)).mode & 0o777);
  t.deepEqual([...new Set(modes)], [0o600]);
});

for (const writer of ['process', 'thread'])
  test(`a full disk is said so, ping is not ready, both recover: a ${writer} writes`, async (t) => {
    const script = fileURLToPath(new URL('./sql-full-disk-child.ts', import.meta.url));
    const command = 'mount -t tmpfs -o size=1m none "$1" || exit 77; exec "$2" "$3" "$1" "$4"';
    const args = ['-Urm', 'sh', '-c', command, 'sh'];
    const about = [directoryOf(t), process.execPath, script, writer];
    const child = spawn('unshare', [...args, ...about], { stdio: ['ignore', 'ignore', 'pipe'] });
    const code = once(child, 'exit').then(
      ([exitCode]) => exitCode,
      () => NO_NAMESPACE,
    );
    const complaint = await text(child.stderr);
    if ([NO_NAMESPACE, 1].includes(await code) && /unshare|mount/.test(complaint)) {
      t.log(`not tried, a tiny file system cannot be mounted here: ${complaint}`);
      t.pass();
      return;
    }
    t.is(await code, 0, complaint);
  });

test('a file that is no database, or cannot be opened, is named in the error', async (t) => {
  const dir = directoryOf(t);
  const file = join(dir, 'notes.txt');
  writeFileSync(
    file,
    'these are notes, and they are long enough to be taken for a header '.repeat(20),
  );
  const damaged = await t.throwsAsync(openBooks(`sqlite:${file}`));
  t.true(isDomainError(damaged, 'internal', 'STORE_CORRUPT'));
  const absent = await t.throwsAsync(openBooks(`sqlite:${join(dir, 'nowhere', 'x.db')}`));
  t.true(isDomainError(absent, 'unavailable', 'STORE_UNAVAILABLE'));
  t.regex(String(absent?.cause), /nowhere\/x\.db/);
});

test('a unique index whose name does not follow from its columns is refused at the start', async (t) => {
  const misnamed: Migration = {
    name: '0001-misnamed',
    up: async ({ createTable, kysely, type }) => {
      await createTable('thing', (table) => table.addColumn('uid', type.text));
      await kysely.schema.createIndex('whatever').unique().on('thing').columns(['uid']).execute();
    },
  };
  const url = await subject.createUrl(t);
  await t.throwsAsync(openBooks(url, { migrations: [misnamed] }), {
    message: /"thing_uid_unique"/,
  });
});
