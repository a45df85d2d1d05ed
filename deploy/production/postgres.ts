import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { SERVICE_NAMES, type ServiceName } from '../../services/contract.ts';
import { writeWhole } from '../start/state-dir.ts';
import type { Program } from '../tools/program.ts';
import { runCommand } from '../tools/run-command.ts';
import type { ProcessSpec } from './managed-process.ts';
import type { Places } from './places.ts';
import { ensureSecret } from './secrets.ts';

/**
 * A cluster of our own: the change feed reads the cluster's oldest transaction, so a foreign
 * database with long transactions beside ours would hold it back. One database and one role per
 * service, so that no service can read another one's records.
 */
export type PostgresOptions = {
  readonly places: Places;
  readonly postgres: Program;
  readonly initdb: Program;
  readonly port: number;
};

const ADMINISTRATOR = 'runmachine_admin';
const INIT_LIMIT_MS = 60_000;
const END_LIMIT_MS = 20_000;

const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'password_encryption=scram-sha-256',
  // Ten connections and one listener per process and service.
  'max_connections=150',
  // Ours take five seconds at most; one that hangs longer would hold the change feed back.
  'idle_in_transaction_session_timeout=10s',
  'log_min_error_statement=panic',
];

/** Makes the cluster if it is missing, and tells how the server is started. */
export const preparePostgres = async (options: PostgresOptions): Promise<ProcessSpec> => {
  const { places, postgres, port } = options;
  const dir = places.file('postgres');
  const sockets = join(dir, 'sockets');
  for (const path of [dir, sockets]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    // PostgreSQL refuses uid 0.
    if (postgres.runAs) chownSync(path, postgres.runAs.uid, postgres.runAs.gid);
  }
  if (!existsSync(join(dir, 'data', 'PG_VERSION'))) await initialise(options, dir);
  return {
    name: 'postgres',
    path: postgres.path,
    args: [
      ...postgres.args,
      ...['-D', join(dir, 'data'), '-k', sockets, '-p', String(port)],
      ...SETTINGS.flatMap((setting) => ['-c', setting]),
    ],
    env: { LC_ALL: 'C', TZ: 'UTC', ...postgres.env },
    ...(postgres.runAs && { runAs: postgres.runAs }),
    cwd: dir,
    logFile: places.log('postgres'),
    // "Fast": ends connections and writes a checkpoint.
    endSignal: 'SIGINT',
    endLimitMs: END_LIMIT_MS,
  };
};

const initialise = async ({ places, initdb }: PostgresOptions, dir: string): Promise<void> => {
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, ensureSecret(places.secret('postgres.password')), { mode: 0o600 });
  const { runAs } = initdb;
  if (runAs) chownSync(passwordFile, runAs.uid, runAs.gid);
  const args = [
    ...initdb.args,
    ...['-D', join(dir, 'data'), '-U', ADMINISTRATOR, `--pwfile=${passwordFile}`],
    ...['--auth=scram-sha-256', '--no-locale', '--encoding=UTF8', '--no-instructions'],
  ];
  const { exitCode, stderr } = await runCommand(initdb.path, args, {
    cwd: dir,
    env: { LC_ALL: 'C', TZ: 'UTC', ...initdb.env },
    limitMs: INIT_LIMIT_MS,
    ...(runAs && { runAs }),
  });
  rmSync(passwordFile, { force: true });
  if (exitCode !== 0) {
    const hint = runAs ? `; can uid ${runAs.uid} reach ${dir}?` : '';
    throw new Error(`initdb ended with code ${exitCode}${hint}\n${stderr}`);
  }
};

/** Resolves when the server answers; databases, roles and the files with their URLs exist then. */
export const ensureDatabases = async ({ places, port }: PostgresOptions): Promise<void> => {
  const password = ensureSecret(places.secret('postgres.password'));
  const client = new pg.Client({
    ...{ host: '127.0.0.1', port, user: ADMINISTRATOR, password, database: 'postgres' },
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    for (const service of SERVICE_NAMES) await ensureDatabase(client, service, { places, port });
  } finally {
    await client.end().catch(() => undefined);
  }
};

const ensureDatabase = async (
  client: pg.Client,
  service: ServiceName,
  { places, port }: { readonly places: Places; readonly port: number },
): Promise<void> => {
  const name = `runmachine_${service}`;
  const password = ensureSecret(places.secret(`${service}.password`));
  const role = await client.query('select from pg_roles where rolname = $1', [name]);
  // Names are ours and the password is hexadecimal: nothing in them needs quoting.
  if (role.rowCount === 0) {
    await client.query(`create role ${name} login password '${password}'`);
  }
  const database = await client.query('select from pg_database where datname = $1', [name]);
  if (database.rowCount === 0) {
    await client.query(`create database ${name} owner ${name}`);
    await client.query(`revoke all on database ${name} from public`);
  }
  writeWhole(
    places.secret(`${service}.url`),
    `postgresql://${name}:${password}@127.0.0.1:${port}/${name}\n`,
    0o600,
  );
};
