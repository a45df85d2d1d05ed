/** The suites of metadata on PostgreSQL. */
import { needs, slot } from '../needs.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { metadataSecretsSuite } from './metadata-secrets.suite.ts';

const need = needs('postgres');
const { test } = need;
let server: TestPostgres;
let turn: Awaited<ReturnType<typeof slot>>;

test.before(async () => {
  turn = await slot('database');
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
  turn?.release();
});

// One after the other: each has connections of its own, and the server's are limited.
metadataSecretsSuite({ test: test.serial, createUrl: () => server.createDatabase() });
