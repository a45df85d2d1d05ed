import { needs, slot } from '../needs.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type SqlSubject, sqlSuite } from './sql.suite.ts';
import { sqlChangesSuite } from './sql-changes.suite.ts';
import { sqlMigrationsSuite } from './sql-migrations.suite.ts';
import { sqlRequestsSuite } from './sql-requests.suite.ts';

const need = needs('postgres');
let server: TestPostgres;
let turn: Awaited<ReturnType<typeof slot>>;

need.test.before(async () => {
  turn = await slot('database');
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
need.test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
  turn?.release();
});

const subject: SqlSubject = { test: need.test, createUrl: () => server.createDatabase() };

sqlSuite(subject);
sqlChangesSuite(subject);
sqlMigrationsSuite(subject);
sqlRequestsSuite(subject);
