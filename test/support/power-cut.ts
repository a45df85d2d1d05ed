/**
 * What a disk may hold after a power cut. Of a file that was written since its last sync each
 * sector is as it was then or as it is now, whichever the disk got to.
 */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Random } from '../../services/runtime/random.ts';

const SECTOR_BYTES = 512;
/** SQLite itself syncs the header of its journal before anything follows it. */
const HEADER_BYTES = 32;

export type Disk = {
  /** What the journal holds now is on the disk. */
  readonly synced: () => void;
  /** Copies to a folder what the disk may hold if the power went now; answers the file there. */
  readonly cut: (folder: string) => string;
};

/** The disk under an SQLite file with a journal (WAL), which is open. */
export const diskOf = (file: string, random: Random): Disk => {
  const journal = `${file}-wal`;
  const look = () => ({
    journal: readFileSync(journal),
    writtenNs: statSync(file, { bigint: true }).mtimeNs,
  });
  let durable = look();
  return {
    synced: () => {
      durable = look();
    },
    cut: (folder) => {
      mkdirSync(folder, { recursive: true });
      const copy = join(folder, basename(file));
      const now = look();
      // A checkpoint, by which alone the file changes, begins with a sync of the journal.
      const since = now.writtenNs === durable.writtenNs ? durable.journal : now.journal;
      copyFileSync(file, copy);
      writeFileSync(`${copy}-wal`, mixed(since, now.journal, random));
      return copy;
    },
  };
};

const mixed = (durable: Buffer, written: Buffer, random: Random): Buffer => {
  const found = Buffer.alloc(Math.max(durable.length, written.length));
  durable.copy(found);
  for (let at = 0; at < written.length; at += SECTOR_BYTES)
    if (random.fraction() < 0.5) written.copy(found, at, at, at + SECTOR_BYTES);
  written.copy(found, 0, 0, HEADER_BYTES);
  return found;
};
