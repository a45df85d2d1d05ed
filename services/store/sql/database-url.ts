import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { invalidArgument } from '../../runtime/errors.ts';

/**
 * Where a service's records live. PostgreSQL urls use the names of libpq (host, sslmode,
 * sslrootcert, sslcert, sslkey), because that is what operators already write. A remote server is
 * reached by verified TLS unless the url says `sslmode=disable`; libpq's modes that encrypt without
 * verifying are refused, they only look safe.
 */
export type DatabaseUrl =
  | { readonly dialect: 'sqlite'; readonly file: string; readonly inMemory: boolean }
  | { readonly dialect: 'postgresql'; readonly server: PostgresServer };

export type PostgresServer = {
  /** Host name, address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /**
   * Empty = none (peer, trust or certificate). Never logged; a function so that no printer shows
   * it.
   */
  readonly password: () => string;
  /** Absent = no TLS. */
  readonly tls?: ConnectionOptions;
};

const MEMORY = 'sqlite::memory:';
const PARAMETERS = ['host', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

/** Reads a url; errors are invalid_argument DATABASE_URL_INVALID and never repeat the password. */
export const parseDatabaseUrl = (url: string): DatabaseUrl => {
  if (url === MEMORY) {
    return { dialect: 'sqlite', file: ':memory:', inMemory: true };
  }
  if (url.startsWith('sqlite:')) {
    const file = url.slice('sqlite:'.length);
    if (file === '' || file.startsWith('//')) {
      throw invalid('sqlite takes a file path: "sqlite:/var/lib/runmachine/machine.db"');
    }
    return { dialect: 'sqlite', file, inMemory: false };
  }
  if (/^postgres(ql)?:\/\//.test(url)) {
    return { dialect: 'postgresql', server: parsePostgres(url) };
  }
  throw invalid('expected "sqlite:<file>", "sqlite::memory:" or "postgresql://…"');
};

const invalid = (problem: string): Error =>
  invalidArgument('DATABASE_URL_INVALID', `The database url is not usable: ${problem}`);

const parsePostgres = (text: string): PostgresServer => {
  const url = URL.parse(text);
  if (url === null) {
    throw invalid('expected "postgresql://user@host:port/database"');
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw invalid(`unknown parameter "${name}"; known are ${PARAMETERS.join(', ')}`);
    }
  }
  const host = (url.searchParams.get('host') ?? url.hostname).replace(/^\[(.*)\]$/, '$1');
  const database = decodeURIComponent(url.pathname.slice(1));
  const user = decodeURIComponent(url.username);
  if (host === '' || database === '' || user === '') {
    throw invalid('host, user and database must all be named');
  }
  const password = decodeURIComponent(url.password);
  const tls = tlsOf(url.searchParams, host);
  return {
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    database,
    user,
    password: () => password,
    ...(tls === undefined ? {} : { tls }),
  };
};

const isLocal = (host: string): boolean =>
  host.startsWith('/') || host === 'localhost' || host === '::1' || host.startsWith('127.');

const tlsOf = (parameters: URLSearchParams, host: string): ConnectionOptions | undefined => {
  const mode = parameters.get('sslmode') ?? (isLocal(host) ? 'disable' : 'verify-full');
  if (mode === 'disable') {
    return undefined;
  }
  if (mode !== 'verify-full') {
    throw invalid(`sslmode "${mode}"; use "verify-full" or "disable"`);
  }
  const fileOf = (name: string): string | undefined => {
    const path = parameters.get(name);
    return path === null ? undefined : readNamedFile(name, path);
  };
  const [ca, cert, key] = [fileOf('sslrootcert'), fileOf('sslcert'), fileOf('sslkey')];
  return {
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
};

const readNamedFile = (parameter: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw invalidArgument(
      'DATABASE_URL_INVALID',
      `The database url is not usable: cannot read ${parameter} "${path}"`,
      { cause },
    );
  }
};
