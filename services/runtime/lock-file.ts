/**
 * One process per state directory. The lock is an exclusive transaction on a SQLite file: the
 * kernel drops it when the holder dies however it dies, and two starters at once cannot both get
 * it. A text file beside it says who holds it, by pid and start time, because a pid alone is used
 * again.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { alreadyExists, failedPrecondition } from './errors.ts';
import { makeDir } from './make-dir.ts';

export type LockHolder = {
  readonly pid: number;
  /**
   * Opaque; differs between two processes that had the same pid. Empty where the system does not
   * tell.
   */
  readonly startTime: string;
  /** What the holder says about itself, for people and for "npm stop": addresses, log path. */
  readonly note: string;
};

export type StateLock = {
  /** Replaces the note, once addresses are known. */
  readonly describe: (note: string) => void;
  readonly release: () => void;
};

const LOCK = 'process.lock';
const HOLDER = 'process.json';

// A database that nobody refers to is collected and closed, and the lock with it.
const held = new Set<DatabaseSync>();

/**
 * Takes the directory (made if missing). Throws ALREADY_EXISTS BUSY with the holder's pid and note
 * in metadata, FAILED_PRECONDITION INVALID_STATE where nobody could lock it.
 */
export const lockStateDir = (stateDir: string, note: string): StateLock => {
  makeDir(stateDir);
  const database = takeLock(stateDir);
  held.add(database);
  const self = { pid: process.pid, startTime: startTimeOf(process.pid) };
  const describe = (text: string) => {
    writeFileSync(join(stateDir, HOLDER), JSON.stringify({ ...self, note: text }), { mode: 0o600 });
  };
  describe(note);
  return {
    describe,
    release: () => {
      rmSync(join(stateDir, HOLDER), { force: true });
      if (held.delete(database)) database.close();
    },
  };
};

/** Who holds the directory now; undefined = nobody that lives. */
export const lockHolder = (stateDir: string): LockHolder | undefined => {
  const holder = readHolder(stateDir);
  if (holder === undefined || !isAlive(holder.pid)) return undefined;
  return startTimeOf(holder.pid) === holder.startTime ? holder : undefined;
};

const takeLock = (stateDir: string): DatabaseSync => {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(stateDir, LOCK), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database?.close();
    if (!isBusy(cause)) throw cannotLock(stateDir, cause);
    const holder = readHolder(stateDir);
    const who = holder === undefined ? 'another process' : `process ${holder.pid} (${holder.note})`;
    throw alreadyExists('BUSY', `The state directory "${stateDir}" is held by ${who}`, {
      cause,
      metadata: {
        dir: stateDir,
        pid: String(holder?.pid ?? ''),
        note: holder?.note ?? '',
      },
    });
  }
};

/** https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;

const cannotLock = (stateDir: string, cause: unknown) => {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `${join(stateDir, LOCK)} cannot be locked: ${why}`;
  return failedPrecondition('INVALID_STATE', message, { cause, metadata: { dir: stateDir } });
};

const readHolder = (stateDir: string): LockHolder | undefined => {
  try {
    const read: unknown = JSON.parse(readFileSync(join(stateDir, HOLDER), 'utf8'));
    return isHolder(read) ? read : undefined;
  } catch {
    return undefined;
  }
};

const isHolder = (read: unknown): read is LockHolder =>
  typeof read === 'object' &&
  read !== null &&
  'pid' in read &&
  typeof read.pid === 'number' &&
  'startTime' in read &&
  typeof read.startTime === 'string' &&
  'note' in read &&
  typeof read.note === 'string';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/**
 * Field 22 of /proc/<pid>/stat, counted behind the name, which may hold spaces (proc_pid_stat(5)).
 */
const startTimeOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
};
