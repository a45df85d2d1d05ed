import { needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { schedulerHistorySuite } from './scheduler-history.suite.ts';

const need = needs('postgres');
const { test } = need;
let server: TestPostgres;

test.before(async () => {
  await slot('database');
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
test.after.always(() => server?.[Symbol.asyncDispose]());

schedulerHistorySuite(test, () => server.createDatabase());
