import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { makeDir } from '../../services/runtime/make-dir.ts';
import { StartRefused } from './options.ts';

/**
 * Where everything of one installation on this machine lies. Nothing is written elsewhere but the
 * profile.
 */
export type StateDir = {
  readonly path: string;
  readonly file: (name: string) => string;
  /** What lies in it. */
  readonly names: () => readonly string[];
  /** Short, for sockets: a unix socket's path has about 100 bytes. Private to this user. */
  readonly runtimeDir: string;
  readonly readJson: <T extends object>(name: string) => Partial<T>;
  readonly writeJson: (name: string, value: object) => void;
};

export const openStateDir = (path: string): StateDir => {
  try {
    makeDir(path);
  } catch (error) {
    throw unusable(`cannot make the state directory ${path}`, error);
  }
  refuseForeignFiles(path);
  refuseUnwritable(path);
  const file = (name: string): string => join(path, name);
  return {
    path,
    file,
    names: () => readdirSync(path),
    runtimeDir: makeRuntimeDir(path),
    readJson: (name) => {
      try {
        return JSON.parse(readFileSync(file(name), 'utf8'));
      } catch {
        return {};
      }
    },
    writeJson: (name, value) => writeWhole(file(name), `${JSON.stringify(value, null, 2)}\n`),
  };
};

/** Better told now than where the first record is written. */
const refuseUnwritable = (path: string): void => {
  const file = join(path, `probe-${process.pid}`);
  try {
    writeWhole(file, '\n');
    rmSync(file);
  } catch (error) {
    throw unusable(`cannot write into the state directory ${path}`, error);
  }
};

export const DISK_FULL_CURE = 'free about 1 GB, or give another place with --state-dir';

/** https://www.sqlite.org/rescode.html#full */
const SQLITE_FULL = 13;

/** Also where it only says so further down. */
export const isDiskFull = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const isFull =
    ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) ||
    ('errcode' in error && error.errcode === SQLITE_FULL);
  return isFull || isDiskFull(error.cause);
};

const unusable = (what: string, error: unknown): StartRefused =>
  isDiskFull(error)
    ? new StartRefused(`${what}: the disk is full`, DISK_FULL_CURE)
    : new StartRefused(
        `${what}: ${error instanceof Error ? error.message : error}`,
        'give another one with --state-dir',
      );

/** Written whole or not at all, readable by this user only. */
export const writeWhole = (path: string, text: string, mode = 0o600): void => {
  writeFileSync(`${path}.new`, text, { mode });
  renameSync(`${path}.new`, path);
};

/**
 * A run with sudo leaves files that an ordinary run cannot change: better told at once than half
 * way through.
 */
const refuseForeignFiles = (path: string): void => {
  const uid = process.getuid?.();
  if (uid === undefined || uid === 0) return;
  const foreign = [path, ...readdirSync(path).map((name) => join(path, name))].find(
    (one) => lstatSync(one).uid !== uid,
  );
  if (foreign === undefined) return;
  throw new StartRefused(
    `${foreign} belongs to another user, perhaps after a run with sudo`,
    `sudo chown -R ${userInfo().username} ${path}`,
  );
};

const PARENT_CHARS_MAX = 40;

const makeRuntimeDir = (path: string): string => {
  const id = createHash('sha256').update(path).digest('hex').slice(0, 10);
  const base = process.env.XDG_RUNTIME_DIR;
  const places = [...(base !== undefined && existsSync(base) ? [base] : []), tmpdir()];
  const parent = places.find(({ length }) => length < PARENT_CHARS_MAX) ?? '/tmp';
  const runtimeDir = join(parent, `runm-${process.getuid?.() ?? 0}-${id}`);
  try {
    makeDir(runtimeDir);
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    throw new StartRefused(`no place for sockets: ${why}`, 'set TMPDIR to a folder that is there');
  }
  const found = lstatSync(runtimeDir);
  const uid = process.getuid?.();
  if (
    !found.isDirectory() ||
    (uid !== undefined && found.uid !== uid) ||
    (found.mode & 0o077) !== 0
  ) {
    throw new StartRefused(
      `${runtimeDir} is not a directory that only this user can open`,
      `remove it: rm -r ${runtimeDir}`,
    );
  }
  return runtimeDir;
};
