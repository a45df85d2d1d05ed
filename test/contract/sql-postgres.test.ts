import { needs } from '../needs.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type SqlSubject, sqlSuite } from './sql.suite.ts';
import { sqlChangesSuite } from './sql-changes.suite.ts';
import { sqlMigrationsSuite } from './sql-migrations.suite.ts';

const need = needs('postgres');
let server: TestPostgres;

need.test.before(async () => {
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
need.test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
});

const subject: SqlSubject = { test: need.test, createUrl: () => server.createDatabase() };

sqlSuite(subject);
sqlChangesSuite(subject);
sqlMigrationsSuite(subject);
