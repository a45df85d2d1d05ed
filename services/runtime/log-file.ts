import { existsSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { makeDir } from './make-dir.ts';

export type LogFileOptions = {
  readonly file: string;
  /** The file is set aside as <file>.1 when it has grown beyond this. */
  readonly bytesMax?: number;
  /** How many files set aside are kept. */
  readonly keep?: number;
};

export type LogFile = {
  readonly write: (line: string) => void;
  /** Writes what a full disk held back; for the end of the process. */
  readonly flush: () => void;
};

const BYTES_MAX = 20 * 1024 * 1024;
const KEEP = 3;

/**
 * A destination for `createLog` that rotates by size. Each line is written before the call returns,
 * so that a crash loses none.
 */
export const openLogFile = ({
  file,
  bytesMax = BYTES_MAX,
  keep = KEEP,
}: LogFileOptions): LogFile => {
  makeDir(dirname(file), 0o777);
  let bytes = existsSync(file) ? statSync(file).size : 0;
  const destination = pino.destination({ dest: file, sync: true, append: true, mode: 0o600 });
  const rotate = () => {
    destination.flushSync();
    for (let at = keep - 1; at >= 1; at -= 1) {
      if (existsSync(`${file}.${at}`)) renameSync(`${file}.${at}`, `${file}.${at + 1}`);
    }
    if (existsSync(file)) renameSync(file, `${file}.1`);
    destination.reopen(file);
    bytes = 0;
  };
  return {
    write: (line) => {
      if (bytes > bytesMax) rotate();
      bytes += Buffer.byteLength(line);
      destination.write(line);
    },
    flush: () => destination.flushSync(),
  };
};
