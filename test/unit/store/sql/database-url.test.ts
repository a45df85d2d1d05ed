import test from 'ava';
import { isDomainError } from '../../../../services/runtime/errors.ts';
import { parseDatabaseUrl } from '../../../../services/store/sql/database-url.ts';

test('a sqlite url names a file or memory', (t) => {
  t.deepEqual(parseDatabaseUrl('sqlite:/var/lib/r/machine.db'), {
    dialect: 'sqlite',
    file: '/var/lib/r/machine.db',
    inMemory: false,
  });
  t.like(parseDatabaseUrl('sqlite::memory:'), { file: ':memory:', inMemory: true });
});

test('a postgresql url gives its parts, and the password only when asked', (t) => {
  const url = parseDatabaseUrl('postgresql://ru%40nm:p%2Fw@127.0.0.1/records');
  if (url.dialect !== 'postgresql') {
    t.fail();
    return;
  }
  t.like(url.server, { host: '127.0.0.1', port: 5432, database: 'records', user: 'ru@nm' });
  t.is(url.server.password(), 'p/w');
  t.notRegex(JSON.stringify(url), /p\/w|p%2Fw/);
  t.is(url.server.tls, undefined);
});

test('a remote server is verified by TLS unless the url says otherwise; a socket is not', (t) => {
  const tlsOf = (url: string) => {
    const parsed = parseDatabaseUrl(url);
    return parsed.dialect === 'postgresql' ? parsed.server.tls : undefined;
  };
  t.deepEqual(tlsOf('postgres://u@db.example/d'), { rejectUnauthorized: true });
  t.deepEqual(tlsOf('postgres://u@127.0.0.1/d?sslmode=verify-full'), { rejectUnauthorized: true });
  t.is(tlsOf('postgres://u@db.example/d?sslmode=disable'), undefined);
  t.is(tlsOf('postgres://u@localhost/d?host=%2Frun%2Fpostgresql'), undefined);
});

const refused = test.macro((t, url: string, complaint: RegExp) => {
  const error = t.throws(() => parseDatabaseUrl(url), { message: complaint });
  t.true(isDomainError(error, 'invalid_argument', 'DATABASE_URL_INVALID'));
  t.notRegex(String(error), /hunter2/);
});

test('an unknown scheme is refused', refused, 'mysql://u:hunter2@h/d', /expected "sqlite/);
test('an empty file is refused', refused, 'sqlite:', /file path/);
test('a sqlite url with slashes for a host is refused', refused, 'sqlite:///x.db', /file path/);
test('an unknown parameter is refused', refused, 'postgresql://u:hunter2@h/d?ssl=1', /"ssl"/);
test('a missing database is refused', refused, 'postgresql://u:hunter2@h', /database/);
test('a missing user is refused', refused, 'postgresql://h/d', /user/);
test(
  'TLS without verification is refused',
  refused,
  'postgresql://u:hunter2@h/d?sslmode=require',
  /"verify-full" or "disable"/,
);
test(
  'a CA file that is not there is named',
  refused,
  'postgresql://u:hunter2@h/d?sslrootcert=%2Fnowhere%2Fca.pem',
  /\/nowhere\/ca\.pem/,
);
