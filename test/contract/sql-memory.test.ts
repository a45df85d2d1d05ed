import test from 'ava';
import { type SqlSubject, sqlSuite } from './sql.suite.ts';
import { sqlChangesSuite } from './sql-changes.suite.ts';
import { sqlMigrationsSuite } from './sql-migrations.suite.ts';
import { sqlRequestsSuite } from './sql-requests.suite.ts';

const subject: SqlSubject = { test, createUrl: async () => 'sqlite::memory:' };

sqlSuite(subject);
sqlChangesSuite(subject);
sqlMigrationsSuite(subject);
sqlRequestsSuite(subject);
