import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';

/**
 * What a server's console said, in a file that survives the agent. Below a size: when it is full it
 * becomes the older part, which it replaces, so that there are at most twice as many bytes. Written
 * and read at once, without waiting: a reader that joins misses and doubles nothing.
 */
export type ConsoleCapture = {
  readonly append: (bytes: Uint8Array) => void;
  readonly tail: (bytes: number) => CaptureTail;
  /** Safe to repeat; what is appended later is lost. */
  readonly close: () => void;
};

export type CaptureTail = { readonly bytes: Buffer; readonly truncated: boolean };

const FILE_BYTES_MAX = 4 * 1024 * 1024;

export const openCapture = (path: string, bytesMax = FILE_BYTES_MAX): ConsoleCapture => {
  let fd: number | undefined = openSync(path, 'a', 0o600);
  let size = fstatSync(fd).size;
  return {
    append: (bytes) => {
      if (fd === undefined) return;
      writeSync(fd, bytes);
      size += bytes.length;
      if (size <= bytesMax) return;
      closeSync(fd);
      renameSync(path, olderPart(path));
      fd = openSync(path, 'a', 0o600);
      size = 0;
    },
    tail: (bytes) => captureTail(path, bytes),
    close: () => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
};

/** The last bytes of what was captured; empty when nothing was. */
export const captureTail = (path: string, bytes: number): CaptureTail => {
  const current = lastBytes(path, bytes + 1);
  const older = lastBytes(olderPart(path), bytes + 1 - current.length);
  const all = Buffer.concat([older, current]);
  const truncated = all.length > bytes;
  return { bytes: truncated ? all.subarray(all.length - bytes) : all, truncated };
};

export const removeCapture = (path: string): void => {
  rmSync(path, { force: true });
  rmSync(olderPart(path), { force: true });
};

const olderPart = (path: string): string => `${path}.1`;

const lastBytes = (path: string, count: number): Buffer => {
  if (count <= 0) return Buffer.alloc(0);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return Buffer.alloc(0);
    }
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const bytes = Buffer.alloc(Math.min(size, count));
    const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    return bytes.subarray(0, read);
  } finally {
    closeSync(fd);
  }
};
