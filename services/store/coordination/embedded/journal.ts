import { closeSync, fdatasync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';

/** Resolves when what was written to an open file before the call survives a power cut. */
export type Sync = (descriptor: number) => Promise<void>;

export const syncToDisk: Sync = promisify(fdatasync);

/** Where SQLite writes commits before they reach the file itself (`-wal`). */
export type Journal = {
  /** Resolves when what was committed before the call survives a power cut. */
  readonly sync: () => Promise<void>;
  /** After the database was closed. */
  readonly close: () => void;
};

/**
 * What synchronous = FULL does, without stopping the process for it: SQLite is told NORMAL, by
 * which a commit is written to the journal and not synced, and whoever commits syncs the journal
 * afterwards on a thread of libuv. The rest stays SQLite's: it syncs the journal's header (and its
 * folder) before the first commit that follows it, the journal before a checkpoint copies from it,
 * and the file before the journal is begun anew. So a power cut leaves all commits that were synced
 * and of the others the first ones or none, never a later one without an earlier.
 *
 * SQLite keeps one journal for as long as it has the file open, and has no locks on it that closing
 * a second descriptor could drop (as it would those on the file itself).
 */
export const openJournal = (database: DatabaseSync, file: string, sync: Sync): Journal => {
  const descriptor = openSync(`${file}-wal`, 'r+');
  try {
    // What a killed process committed and did not live to sync is read from now on. Written anew,
    // to the file itself: where a sync has failed the kernel may call pages clean that it did not
    // write, and a later sync of them proves nothing.
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.exec('PRAGMA synchronous = NORMAL');
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return { sync: () => sync(descriptor), close: () => closeSync(descriptor) };
};
