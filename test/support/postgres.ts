import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Program } from '../../deploy/tools/program.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

/**
 * A real PostgreSQL on a loopback port, shared by the tests of one file; each test takes a database
 * of its own.
 */
export type TestPostgres = {
  readonly port: number;
  /** Creates an empty database and gives its url. */
  readonly createDatabase: () => Promise<string>;
  /**
   * A plain connection to that database, for looking behind the store's back; ended with the
   * server.
   */
  readonly connect: (url: string) => Promise<pg.Client>;
  /** kill -9 of the whole server, as a crash. */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same port and data. */
  readonly restart: () => Promise<void>;
} & AsyncDisposable;

export type PostgresPrograms = { readonly postgres: Program; readonly initdb: Program };

const START_LIMIT_MS = 60_000;
const NOBODY = 65_534;
const USER = 'runm';
const SERVER_FLAGS = [
  // The data is thrown away, so nothing has to reach a disk.
  ...['fsync=off', 'full_page_writes=off', 'shared_buffers=32MB', 'max_connections=150'],
  ...['jit=off', 'max_wal_size=256MB', 'autovacuum_naptime=5s', 'log_min_messages=panic'],
].flatMap((setting) => ['-c', setting]);

/**
 * `programs` is what `needs('postgres')` gives for `postgres` and `initdb`; `settings`, each as
 * "name=value", count more than those of tests.
 */
export const startPostgres = async (
  programs: PostgresPrograms,
  settings: readonly string[] = [],
): Promise<TestPostgres> => {
  await using cleanup = new AsyncDisposableStack();
  const dir = createDir();
  cleanup.defer(() => rmSync(dir, { recursive: true, force: true }));
  const password = randomBytes(9).toString('hex');
  await initialise(programs.initdb, dir, password);
  const port = await freePort();
  const flags = [...SERVER_FLAGS, ...settings.flatMap((setting) => ['-c', setting])];
  const run = () => spawnServer(programs.postgres, { dir, port, flags });
  let child = run();
  cleanup.defer(() => stop(child, 'SIGQUIT'));
  const urlOf = (database: string) =>
    `postgresql://${USER}:${password}@127.0.0.1:${port}/${database}`;
  await untilAnswering(urlOf('postgres'), child);
  const clients: pg.Client[] = [];
  cleanup.defer(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  });
  const owned = cleanup.move();
  return {
    port,
    createDatabase: async () => {
      const name = `test_${randomBytes(6).toString('hex')}`;
      await withClient(urlOf('postgres'), (client) => client.query(`create database ${name}`));
      return urlOf(name);
    },
    connect: async (url) => {
      const client = new pg.Client(url);
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    kill: () => killWhole(child),
    restart: async () => {
      // The old server's processes hold its memory for a moment, and a start before that is
      // refused.
      await eventually(
        async () => {
          child = run();
          await untilAnswering(urlOf('postgres'), child);
          return true;
        },
        { limitMs: START_LIMIT_MS, message: 'the restart of PostgreSQL' },
      );
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

/** PostgreSQL refuses to run as root. */
const owner = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

const createDir = (): string => {
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'runm-pg-'));
  if (owner.uid !== undefined) {
    chownSync(dir, owner.uid, owner.gid);
  }
  return dir;
};

const start = (program: Program, args: readonly string[], cwd: string): ChildProcess =>
  spawn(program.path, [...program.args, ...args], {
    ...owner,
    cwd,
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', ...program.env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });

const initialise = async (initdb: Program, dir: string, password: string): Promise<void> => {
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, password);
  const child = start(
    initdb,
    [
      ...['-D', join(dir, 'data'), '-U', USER, `--pwfile=${passwordFile}`, '--no-sync'],
      ...['--auth=scram-sha-256', '--no-locale', '--encoding=UTF8', '--no-instructions'],
    ],
    dir,
  );
  const [code] = await once(child, 'exit');
  if (code !== 0) {
    throw new Error(`initdb ended with code ${code}`);
  }
};

type Served = { readonly dir: string; readonly port: number; readonly flags: readonly string[] };

const spawnServer = (postgres: Program, { dir, port, flags }: Served): ChildProcess => {
  const sockets = join(dir, 's');
  mkdirSync(sockets, { recursive: true });
  if (owner.uid !== undefined) {
    chownSync(sockets, owner.uid, owner.gid);
  }
  const place = ['-D', join(dir, 'data'), '-k', sockets, '-h', '127.0.0.1', '-p', String(port)];
  return start(postgres, [...place, ...flags], dir);
};

const stop = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
};

/** A backend whose postmaster is dead may still commit, so each is killed; Linux tells them. */
const killWhole = async (child: ChildProcess): Promise<void> => {
  // It begins no other from now on.
  child.kill('SIGSTOP');
  const list = `/proc/${child.pid}/task/${child.pid}/children`;
  const backends = existsSync(list) ? readFileSync(list, 'utf8').split(' ').filter(Boolean) : [];
  for (const pid of backends) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  await stop(child, 'SIGKILL');
  await eventually(() => backends.every(isGone), { message: 'the end of all backends' });
};

/** Also one whose end nobody has asked for yet. */
const isGone = (pid: string): boolean => {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
};

const untilAnswering = (url: string, child: ChildProcess): Promise<unknown> => {
  const died = once(child, 'exit').then(([code]): never => {
    throw new Error(`PostgreSQL ended with code ${code}`);
  });
  const answering = eventually(() => withClient(url, (client) => client.query('select 1')), {
    limitMs: START_LIMIT_MS,
    message: 'an answer of PostgreSQL',
  });
  died.catch(() => undefined);
  answering.catch(() => undefined);
  return Promise.race([died, answering]);
};

const withClient = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
};
