import { DomainError, failedPrecondition, internal, unavailable } from '../../runtime/errors.ts';

/**
 * What the databases report, in our words. Constraint violations are not translated: a service
 * decides what they mean (uniqueViolation tells which). What is translated is the state of the
 * database itself, so that no caller has to know SQLSTATE or SQLite's result codes.
 */
type DriverFields = {
  /** SQLSTATE of PostgreSQL, or a Node code such as ECONNREFUSED or ERR_SQLITE_ERROR. */
  readonly code: string;
  /** SQLite's primary result code; absent for others. https://sqlite.org/rescode.html */
  readonly sqlite?: number;
  readonly message: string;
};

const BUSY_RETRY_MS = 200;
const AWAY_RETRY_MS = 1_000;

const SQLITE = {
  busy: 5,
  locked: 6,
  readonly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  notADb: 26,
};
/** https://www.postgresql.org/docs/15/errcodes-appendix.html */
const PG_RETRY = ['40001', '40P01'];
const PG_FULL = ['53100'];
const PG_BUSY = ['55P03', '57014', '53300'];
const PG_AWAY = ['57P01', '57P02', '57P03', '57P05', '25P03', '25006'];
/** Wrong password, no such role, no such database: waiting does not help. */
const PG_REFUSED = ['28000', '28P01', '3D000'];
const NODE_AWAY = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
];
/** pg has no codes for these; the texts are those of pg 8.23 and pg-pool 3. */
const PG_AWAY_TEXT =
  /Connection terminated|Query read timeout|connection error and is not queryable|Client was closed|Connection ended/i;
const CLOSED_TEXT = /driver has already been destroyed|Cannot use a pool after calling end/;
const PG_WAIT_TEXT = /timeout exceeded when trying to connect/i;

/**
 * Turns a report about the database itself into a DomainError; anything else comes back as it was.
 */
export const mapStoreError = (error: unknown): unknown => {
  if (error instanceof DomainError) {
    return error;
  }
  const fields = fieldsOf(error);
  if (fields === undefined) {
    return error;
  }
  if (CLOSED_TEXT.test(fields.message)) {
    return unavailable('STORE_UNAVAILABLE', 'The store is closed', { cause: error });
  }
  return (fields.sqlite === undefined ? fromPostgres : fromSqlite)(fields, error) ?? error;
};

/** True when the same transaction may succeed if it is run again from its start. */
export const isWorthRetrying = (error: unknown): boolean => {
  const fields = fieldsOf(error);
  return fields !== undefined && (PG_RETRY.includes(fields.code) || fields.sqlite === SQLITE.busy);
};

/** True when the connection broke, so that a commit in flight may or may not have happened. */
export const isConnectionLoss = (error: unknown): boolean => {
  const fields = fieldsOf(error);
  return fields !== undefined && fields.sqlite === undefined && isAway(fields);
};

export type UniqueViolation = {
  /** Name of the unique index, by our rule `<table>_<columns>_unique`. */
  readonly constraint: string;
  /** Empty when SQLite does not say, i.e. for an index over an expression. */
  readonly table: string;
  /** Column names; empty for an index over an expression. */
  readonly columns: readonly string[];
};

/** Which unique index a write ran into; undefined when the error is something else. */
export const uniqueViolation = (error: unknown): UniqueViolation | undefined => {
  const fields = fieldsOf(error);
  if (fields?.code === '23505') {
    const { constraint, table, detail } = Object(error);
    const keys = /^Key \((.*?)\)=/.exec(String(detail ?? ''))?.[1] ?? '';
    const columns = keys.split(', ').map((name) => name.replaceAll('"', ''));
    return {
      constraint: String(constraint),
      table: String(table),
      columns: columns.every((name) => /^\w+$/.test(name)) ? columns : [],
    };
  }
  const broken = /UNIQUE constraint failed: (.+)$/m.exec(fields?.message ?? '')?.[1];
  return broken === undefined ? undefined : fromSqliteText(broken);
};

/**
 * SQLite names the columns and not the index, so the name follows from the rule that migrate.ts
 * enforces.
 */
const fromSqliteText = (text: string): UniqueViolation => {
  const index = /^index '(.+)'$/.exec(text)?.[1];
  if (index !== undefined) {
    return { constraint: index, table: '', columns: [] };
  }
  const paths = text.split(', ').map((path) => path.split('.'));
  const table = paths[0]?.[0] ?? '';
  const columns = paths.map((path) => path[1] ?? '');
  return { constraint: uniqueIndexName(table, columns), table, columns };
};

/** The name every unique index has, so that both databases report a violation by the same name. */
export const uniqueIndexName = (table: string, columns: readonly string[]): string =>
  `${table}_${columns.join('_')}_unique`;

const fieldsOf = (error: unknown): DriverFields | undefined => {
  if (!(error instanceof Error)) {
    return undefined;
  }
  const { code, errcode } = error as Error & { code?: unknown; errcode?: unknown };
  return {
    code: typeof code === 'string' ? code : '',
    message: error.message,
    ...(typeof errcode === 'number' ? { sqlite: errcode & 0xff } : {}),
  };
};

const fromSqlite = (fields: DriverFields, cause: unknown): DomainError | undefined => {
  switch (fields.sqlite) {
    case SQLITE.full:
      return full(cause);
    case SQLITE.busy:
    case SQLITE.locked:
      return busy('another process holds the database file', cause);
    case SQLITE.readonly:
    case SQLITE.ioError:
    case SQLITE.cantOpen:
      return away(cause);
    case SQLITE.corrupt:
    case SQLITE.notADb:
      return internal('STORE_CORRUPT', 'The database file is damaged or not a SQLite database', {
        cause,
      });
    default:
      return undefined;
  }
};

const isAway = (fields: DriverFields): boolean =>
  fields.code.startsWith('08') ||
  PG_AWAY.includes(fields.code) ||
  NODE_AWAY.includes(fields.code) ||
  PG_AWAY_TEXT.test(fields.message);

const fromPostgres = (fields: DriverFields, cause: unknown): DomainError | undefined => {
  if (PG_FULL.includes(fields.code)) {
    return full(cause);
  }
  if (PG_BUSY.includes(fields.code) || PG_WAIT_TEXT.test(fields.message)) {
    return busy('a lock, a statement or a free connection took too long', cause);
  }
  if (PG_RETRY.includes(fields.code)) {
    return busy('concurrent transactions kept colliding', cause);
  }
  if (PG_REFUSED.includes(fields.code)) {
    return failedPrecondition('STORE_REFUSED', `The database refused: ${fields.message}`, {
      cause,
    });
  }
  return isAway(fields) ? away(cause) : undefined;
};

const full = (cause: unknown): DomainError =>
  unavailable('STORE_FULL', 'The database has no space left; nothing was written', {
    cause,
    retryAfterMs: AWAY_RETRY_MS,
  });

const away = (cause: unknown): DomainError =>
  unavailable('STORE_UNAVAILABLE', 'The database does not answer; nothing was written', {
    cause,
    retryAfterMs: AWAY_RETRY_MS,
  });

const busy = (what: string, cause: unknown): DomainError =>
  unavailable('STORE_BUSY', `The database is busy: ${what}; nothing was written`, {
    cause,
    retryAfterMs: BUSY_RETRY_MS,
  });
