/**
 * What is kept about a guest on disk, so that a new agent finds it: one directory per guest, one
 * record in it, replaced at once. The boot token is not in it.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidArgument } from '../../../runtime/errors.ts';
import type { GuestFiles } from './command-line.ts';
import { assertGuestName, type GuestSpec } from './guest-spec.ts';
import type { PortForward } from './port-allocator.ts';
import type { ProcessIdentity } from './process.ts';

/** Why a boot is over. */
export type GuestExit = {
  readonly kind: /** The guest switched itself off, asked or not. */
    | 'powered_down'
    /** The guest asked for a reset: a new boot is wanted. */
    | 'guest_reset'
    /** We ended it. */
    | 'stopped'
    | 'crashed'
    /** It was gone when an agent came back; how is not known. */
    | 'unwatched'
    /** qemu never got as far as running. */
    | 'not_started';
  readonly detail: string;
  /** UTC, ISO 8601. */
  readonly at: string;
};

export type GuestRecord = {
  readonly version: 1;
  readonly spec: GuestSpec;
  readonly specDigest: string;
  readonly bootCounter: number;
  /**
   * `launching` is written before the process exists, so that a process without a record cannot be.
   */
  readonly phase: 'launching' | 'launched' | 'exited';
  /** Null while launching. */
  readonly process: ProcessIdentity | null;
  readonly forwards: readonly PortForward[];
  /** UTC, ISO 8601; of the last boot. */
  readonly launchedAt: string;
  /** Null until the kernel of this boot wrote its first line to the serial port. */
  readonly kernelLineAt: string | null;
  /** How long the serial log was before this boot. */
  readonly serialLogOffsetBytes: number;
  /** Of this boot; null while it lasts. */
  readonly exit: GuestExit | null;
};

export type GuestPaths = GuestFiles & {
  readonly directory: string;
  readonly record: string;
  readonly output: string;
  /** Where the initrd with the boot token goes, used or not. */
  readonly tokenInitrd: string;
};

// A unix socket's path has 108 bytes on Linux, 104 elsewhere.
const SOCKET_PATH_BYTES_MAX = 90;

/** Throws invalid_argument SOCKET_PATH_TOO_LONG when `socketsDir` leaves no room. */
export const guestPaths = (guestsDir: string, socketsDir: string, name: string): GuestPaths => {
  assertGuestName(name);
  const directory = join(guestsDir, name);
  // Directory included, so that two state directories may share one for sockets.
  const id = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  const socket = (kind: string): string => {
    const path = join(socketsDir, `${id}.${kind}`);
    if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
    throw invalidArgument(
      'SOCKET_PATH_TOO_LONG',
      `Cannot use socket path "${path}": expected ${SOCKET_PATH_BYTES_MAX} bytes at most`,
      { metadata: { path } },
    );
  };
  return {
    directory,
    record: join(directory, 'guest.json'),
    output: join(directory, 'qemu.log'),
    pidFile: join(directory, 'qemu.pid'),
    qmpSocket: socket('qmp'),
    serialSocket: socket('ser'),
    serialLog: join(directory, 'serial.log'),
    initrd: null,
    tokenInitrd: join(directory, 'initrd-with-token'),
    disk: (disk) => join(directory, `${disk}.qcow2`),
  };
};

export const writeRecord = async (path: string, record: GuestRecord): Promise<void> => {
  const unfinished = `${path}.new`;
  await writeFile(unfinished, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, path);
};

/** Null when there is none. Throws invalid_argument GUEST_RECORD_DAMAGED for what is no record. */
export const readRecord = async (path: string): Promise<GuestRecord | null> => {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (isRecord(parsed)) return parsed;
  } catch {
    // Said below.
  }
  throw invalidArgument('GUEST_RECORD_DAMAGED', `Cannot read guest record "${path}"`, {
    metadata: { path },
  });
};

/** Names of the guests that have a directory, sorted; empty when there is no guests directory. */
export const listGuestNames = async (guestsDir: string): Promise<string[]> => {
  try {
    const entries = await readdir(guestsDir, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
};

// Only what could hurt is checked: the file is ours and is replaced whole.
const isRecord = (value: unknown): value is GuestRecord =>
  typeof value === 'object' &&
  value !== null &&
  'version' in value &&
  value.version === 1 &&
  'spec' in value &&
  typeof value.spec === 'object' &&
  'bootCounter' in value &&
  typeof value.bootCounter === 'number' &&
  'phase' in value &&
  'process' in value &&
  'forwards' in value &&
  Array.isArray(value.forwards);
