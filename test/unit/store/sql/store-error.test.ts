import test from 'ava';
import { DomainError, notFound } from '../../../../services/runtime/errors.ts';
import {
  isConnectionLoss,
  isWorthRetrying,
  mapStoreError,
  uniqueViolation,
} from '../../../../services/store/sql/store-error.ts';

const failure = (message: string, fields: object) => Object.assign(new Error(message), fields);

const mapped = test.macro((t, error: Error, reason: string | undefined) => {
  const result = mapStoreError(error);
  if (reason === undefined) {
    t.is(result, error);
    return;
  }
  t.true(result instanceof DomainError);
  t.is(result instanceof DomainError ? result.reason : '', reason);
  t.is(result instanceof DomainError ? result.cause : undefined, error);
});

const pg = (code: string) => failure('text', { code });
const sqlite = (errcode: number) => failure('text', { code: 'ERR_SQLITE_ERROR', errcode });

test('PostgreSQL: disk full', mapped, pg('53100'), 'STORE_FULL');
test('PostgreSQL: shutting down', mapped, pg('57P01'), 'STORE_UNAVAILABLE');
test('PostgreSQL: starting up', mapped, pg('57P03'), 'STORE_UNAVAILABLE');
test('PostgreSQL: connection exception', mapped, pg('08006'), 'STORE_UNAVAILABLE');
test('PostgreSQL: failed over to a standby', mapped, pg('25006'), 'STORE_UNAVAILABLE');
test('PostgreSQL: no such address', mapped, pg('ECONNREFUSED'), 'STORE_UNAVAILABLE');
test('PostgreSQL: lock timeout', mapped, pg('55P03'), 'STORE_BUSY');
test('PostgreSQL: statement timeout', mapped, pg('57014'), 'STORE_BUSY');
test('PostgreSQL: deadlock, after the last attempt', mapped, pg('40P01'), 'STORE_BUSY');
test('PostgreSQL: wrong password', mapped, pg('28P01'), 'STORE_REFUSED');
test('PostgreSQL: a violation stays what it is', mapped, pg('23505'), undefined);
test('SQLite: disk full', mapped, sqlite(13), 'STORE_FULL');
test('SQLite: busy, extended code', mapped, sqlite(5 | (2 << 8)), 'STORE_BUSY');
test('SQLite: i/o error, extended code', mapped, sqlite(10 | (3 << 8)), 'STORE_UNAVAILABLE');
test('SQLite: damaged', mapped, sqlite(11), 'STORE_CORRUPT');
test('SQLite: a violation stays what it is', mapped, sqlite(19 | (8 << 8)), undefined);
test('an error of ours stays what it is', mapped, new TypeError('x is not a function'), undefined);

test('a DomainError passes unchanged', (t) => {
  const error = notFound('X', 'x');
  t.is(mapStoreError(error), error);
});

test('collisions are retried, violations and lost connections are not', (t) => {
  t.true(isWorthRetrying(pg('40001')));
  t.true(isWorthRetrying(pg('40P01')));
  t.true(isWorthRetrying(sqlite(5)));
  t.false(isWorthRetrying(pg('23505')));
  t.false(isWorthRetrying(pg('57P01')));
  t.true(isConnectionLoss(pg('57P01')));
  t.true(isConnectionLoss(new Error('Connection terminated unexpectedly')));
  t.false(isConnectionLoss(pg('40001')));
  t.false(isConnectionLoss(sqlite(13)));
});

test('a violated index over an expression has its name on both databases', (t) => {
  const fromSqlite = uniqueViolation(
    failure("UNIQUE constraint failed: index 'machine_name_unique'", { errcode: 2067 }),
  );
  const fromPostgres = uniqueViolation(
    failure('duplicate key', {
      code: '23505',
      constraint: 'machine_name_unique',
      table: 'machine',
      detail: 'Key (lower(name))=(x) already exists.',
    }),
  );
  t.like(fromSqlite, { constraint: 'machine_name_unique', columns: [] });
  t.like(fromPostgres, { constraint: 'machine_name_unique', columns: [] });
});
