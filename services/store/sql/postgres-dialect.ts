import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type TransactionSettings,
} from 'kysely';
import pg from 'pg';
import { unavailable } from '../../runtime/errors.ts';
import type { PostgresServer } from './database-url.ts';
import type { StoreLimits } from './limits.ts';
import { isConnectionLoss } from './store-error.ts';
import type { StoreLog } from './store-log.ts';

/**
 * PostgreSQL over pg with a driver of our own, because Kysely's keeps a pooled connection for ever
 * when begin, commit or rollback fails: every transaction cut by a restart of the database would
 * cost one slot, until none is left. Here a connection whose transaction could not be ended cleanly
 * is closed, never pooled again.
 */
export type PostgresOptions = {
  readonly server: PostgresServer;
  /** The schema that holds the service's tables. */
  readonly schema: string;
  readonly limits: StoreLimits;
  readonly log: StoreLog;
};

/** Connection settings for the pool and for the listener. */
export const connectionConfig = ({ server, schema, limits }: PostgresOptions): pg.ClientConfig => ({
  host: server.host,
  port: server.port,
  database: server.database,
  user: server.user,
  password: server.password(),
  ssl: server.tls ?? false,
  application_name: `runmachine ${schema}`,
  connectionTimeoutMillis: Math.min(limits.connectionWaitMs, 5_000),
  keepAlive: true,
  // The first is the server's; the second ends the wait for a server that froze or cannot be
  // reached any more.
  statement_timeout: limits.statementMs,
  query_timeout: limits.statementMs + 1_000,
  lock_timeout: limits.lockMs,
  // Later than our own limit: it is for a process that froze with a transaction open.
  idle_in_transaction_session_timeout: limits.transactionMs + 500,
  // An acknowledged commit is on disk whatever the server's default says (invariant 6).
  options: `-c search_path=${schema} -c synchronous_commit=on`,
  types: columnTypes(),
});

export const createPool = (options: PostgresOptions): pg.Pool => {
  const pool = new pg.Pool({
    ...connectionConfig(options),
    connectionTimeoutMillis: options.limits.connectionWaitMs,
    max: options.limits.connectionsMax,
    idleTimeoutMillis: 30_000,
  });
  // An 'error' event without a listener ends the process; the statement in flight rejects on its
  // own.
  const onError = (error: Error) =>
    options.log.warn({ err: error.message, service: options.schema }, 'database connection lost');
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', onError);
  return pool;
};

export const createPostgresDialect = (pool: pg.Pool, waitersMax: number): Dialect => ({
  createDriver: () => createPoolDriver(pool, waitersMax),
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createAdapter: () => new PostgresAdapter(),
  createIntrospector: (db) => new PostgresIntrospector(db),
});

const createPoolDriver = (pool: pg.Pool, waitersMax: number): Driver => {
  const clients = new WeakMap<DatabaseConnection, PooledClient>();
  const of = (connection: DatabaseConnection): PooledClient => {
    const pooled = clients.get(connection);
    if (pooled === undefined) {
      throw new Error('A connection of another driver');
    }
    return pooled;
  };
  return {
    init: async () => undefined,
    acquireConnection: async () => {
      if (pool.waitingCount >= waitersMax) {
        throw unavailable('STORE_BUSY', `${waitersMax} are waiting for a database connection`, {
          retryAfterMs: 200,
        });
      }
      const pooled: PooledClient = { client: await pool.connect(), over: false, broken: false };
      const connection = connectionOf(pooled);
      clients.set(connection, pooled);
      return connection;
    },
    beginTransaction: async (connection, settings) => {
      const pooled = of(connection);
      try {
        await pooled.client.query(beginText(settings));
      } catch (error) {
        pooled.client.release(true);
        throw error;
      }
    },
    commitTransaction: async (connection) => {
      const pooled = of(connection);
      pooled.over = true;
      await send(pooled, CompiledQuery.raw('commit'));
    },
    rollbackTransaction: async (connection) => {
      const pooled = of(connection);
      pooled.over = true;
      if (pooled.broken) {
        return;
      }
      try {
        await pooled.client.query('rollback');
      } catch {
        pooled.broken = true;
      }
    },
    releaseConnection: async (connection) => {
      const pooled = of(connection);
      pooled.client.release(pooled.broken);
    },
    destroy: () => pool.end(),
  };
};

type PooledClient = {
  readonly client: pg.PoolClient;
  /** Its transaction is ending: what is sent from now on is refused, not run outside. */
  over: boolean;
  broken: boolean;
};

const beginText = ({ isolationLevel, accessMode }: TransactionSettings): string =>
  `begin ${isolationLevel === undefined ? '' : `isolation level ${isolationLevel}`} ${accessMode ?? ''}`;

const connectionOf = (pooled: PooledClient): DatabaseConnection => ({
  executeQuery: async <R>(query: CompiledQuery) => {
    if (pooled.over) {
      throw new Error('The transaction of this statement has ended');
    }
    const result = await send(pooled, query);
    const writes = ['INSERT', 'UPDATE', 'DELETE', 'MERGE'].includes(result.command);
    const rows: R[] = result.rows ?? [];
    return writes ? { numAffectedRows: BigInt(result.rowCount ?? 0), rows } : { rows };
  },
  streamQuery: () => {
    throw new Error('Streaming is not supported: page through the rows instead');
  },
});

/**
 * After the client's own timeout an answer may still come, and would be taken for that of the next
 * query.
 */
const send = async (pooled: PooledClient, query: CompiledQuery): Promise<pg.QueryResult> => {
  try {
    return await pooled.client.query(query.sql, [...query.parameters]);
  } catch (error) {
    pooled.broken ||= isConnectionLoss(error);
    throw error;
  }
};

const OID = {
  bigint: 20,
  textArray: 1009,
  dates: [1082, 1114, 1184, 1186],
  dateArrays: [1182, 1115, 1185, 1187],
};

/**
 * Dates stay text, because MikroORM reads them itself; bigints become numbers as SQLite gives them,
 * and stay text above 2^53 rather than lose digits.
 */
const columnTypes = (): pg.CustomTypesConfig => {
  const types = new pg.TypeOverrides();
  for (const oid of OID.dates) {
    types.setTypeParser(oid, (text: string) => text);
  }
  for (const oid of OID.dateArrays) {
    types.setTypeParser(oid, pg.types.getTypeParser(OID.textArray));
  }
  types.setTypeParser(OID.bigint, (text: string) => {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : text;
  });
  return types;
};
