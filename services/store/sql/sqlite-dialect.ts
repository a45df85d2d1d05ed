import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { ConnectionGate } from './connection-gate.ts';
import { connectHere, connectInThread, type SqliteConnection } from './sqlite-connection.ts';
import type { Value } from './sqlite-statements.ts';

/**
 * SQLite over node:sqlite with what Kysely's own driver lacks: a bounded wait for the one
 * connection, and a connection that is given back even when `begin`, `commit` or `rollback` fails.
 * Kysely releases only after a successful end; SQLite rolls back by itself on a full disk, the
 * explicit rollback then fails, and every later statement would wait for ever.
 *
 * synchronous=FULL: in WAL mode NORMAL survives kill -9 but loses the last commits on power loss;
 * an acknowledged write must not be lost (invariant 6), and embedded mode commits rarely enough for
 * one fsync each.
 */
export type SqliteDialectOptions = {
  /** A path, or `:memory:`. */
  readonly file: string;
  /** A second connection that only reads, so that lists do not wait behind an open transaction. */
  readonly readOnly: boolean;
  /** In a thread of its own, for whom writes much; not for what is in memory. */
  readonly inThread: boolean;
  readonly gate: ConnectionGate;
};

const PRAGMAS = [
  'pragma journal_mode = wal',
  'pragma synchronous = full',
  'pragma foreign_keys = on',
  // Only a foreign process (a backup, sqlite3) can hold the file; node:sqlite waits synchronously,
  // so keep it short.
  'pragma busy_timeout = 500',
  'pragma journal_size_limit = 67108864',
];

/**
 * The journal is copied to the file every 32 MiB and not every 4: each copy writes all over the
 * file and syncs it, for which others at the same disk wait, such as an etcd.
 */
const MUCH_WRITTEN = 'pragma wal_autocheckpoint = 8000';

export const createSqliteDialect = (options: SqliteDialectOptions): Dialect => ({
  createDriver: () => createGatedDriver(options),
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createAdapter: () => new GatedAdapter(),
  createIntrospector: (db) => new SqliteIntrospector(db),
});

/**
 * Says that many may ask for the connection: the gate orders them, not Kysely's unbounded mutex.
 */
class GatedAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

const createGatedDriver = (options: SqliteDialectOptions): Driver => {
  const { file, readOnly, inThread, gate } = options;
  const turns = new WeakMap<DatabaseConnection, Turn>();
  let opened: SqliteConnection | undefined;
  const open = async (): Promise<void> => {
    if (file !== ':memory:' && !readOnly) {
      createPrivateFile(file);
    }
    const made = inThread ? connectInThread(file) : connectHere(file);
    try {
      const own = [
        ...(readOnly ? ['pragma query_only = on'] : []),
        ...(inThread ? [MUCH_WRITTEN] : []),
      ];
      for (const pragma of [...PRAGMAS, ...own]) await made.run(pragma, []);
      opened = made;
    } catch (error) {
      await made.close();
      throw error;
    }
  };
  /** Runs a statement that ends the turn: what is sent from now on is refused, not run outside. */
  const end = async (connection: DatabaseConnection, sql: string): Promise<void> => {
    const turn = turns.get(connection);
    assert(turn !== undefined && opened !== undefined);
    turn.over = true;
    await opened.run(sql, []);
  };
  return {
    init: open,
    acquireConnection: async (options) => {
      await gate.enter(options?.signal);
      if (opened === undefined) {
        gate.leave();
        throw new Error('The SQLite connection is closed');
      }
      const turn: Turn = { over: false };
      const connection = connectionOf(opened, turn);
      turns.set(connection, turn);
      return connection;
    },
    beginTransaction: async () => {
      try {
        assert(opened !== undefined);
        await opened.run(readOnly ? 'begin' : 'begin immediate', []);
      } catch (error) {
        // Kysely keeps a connection whose begin failed, and nobody would ever give it back.
        gate.leave();
        throw error;
      }
    },
    commitTransaction: (connection) => end(connection, 'commit'),
    // "no transaction is active" after SQLite rolled back by itself is what was wanted.
    rollbackTransaction: (connection) => end(connection, 'rollback').catch(() => undefined),
    releaseConnection: async () => gate.leave(),
    destroy: async () => {
      // Lets the transaction under way end; one that hangs is cut off after the gate's limit.
      await gate.enter().catch(() => undefined);
      const last = opened;
      opened = undefined;
      await last?.close();
    },
  };
};

/** One holder's time on the connection. */
type Turn = { over: boolean };

/**
 * Records may hold what only the service may read: the file (and with it -wal and -shm) is 0600
 * from its birth.
 */
const createPrivateFile = (file: string): void => {
  try {
    closeSync(openSync(file, 'a', 0o600));
  } catch (cause) {
    throw Object.assign(new Error(`unable to open database file "${file}"`, { cause }), {
      code: 'ERR_SQLITE_ERROR',
      errcode: 14,
    });
  }
};

const connectionOf = (inner: SqliteConnection, turn: Turn): DatabaseConnection => ({
  // Rows have the type that the query says.
  executeQuery: async <R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> => {
    if (turn.over) {
      throw new Error('The transaction of this statement has ended');
    }
    return (await inner.run(sql, parameters.map(bindValue))) as QueryResult<R>;
  },
  streamQuery: () => {
    throw new Error('Streaming is not supported: page through the rows instead');
  },
});

/**
 * node:sqlite binds neither booleans nor dates: 0 and 1, and milliseconds since 1970 as MikroORM
 * stores them.
 */
const bindValue = (value: unknown): Value => {
  if (typeof value === 'boolean') {
    return value ? 1 : 0;
  }
  if (value instanceof Date) {
    return value.getTime();
  }
  // What else it cannot bind it refuses itself.
  return value === undefined ? null : (value as Value);
};
