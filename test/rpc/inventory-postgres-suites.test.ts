/** The suites of inventory on PostgreSQL. */
import { needs, slot } from '../needs.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { inventoryDiscoverySuite } from './inventory-discovery.suite.ts';
import { inventoryImportSuite } from './inventory-import.suite.ts';
import { inventoryObservationSuite } from './inventory-observation.suite.ts';
import { inventoryPlacesSuite } from './inventory-places.suite.ts';
import { inventoryReshapeSuite } from './inventory-reshape.suite.ts';
import { inventoryTreesSuite } from './inventory-trees.suite.ts';
import { inventoryUpgradeSuite } from './inventory-upgrade.suite.ts';

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
const subject = { test: test.serial, createUrl: () => server.createDatabase() };

inventoryPlacesSuite(subject);
inventoryTreesSuite(subject);
inventoryReshapeSuite(subject);
inventoryImportSuite(subject);
inventoryObservationSuite(subject);
inventoryDiscoverySuite(subject);
inventoryUpgradeSuite(subject, subject.createUrl);
