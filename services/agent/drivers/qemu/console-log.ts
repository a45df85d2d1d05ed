/**
 * The captured serial log of a guest. qemu writes it, so nothing is lost while no agent runs. It is
 * kept below a size by copying it away and cutting it to nothing in place, because qemu holds the
 * file open (in append mode, so it goes on at the start); what arrives between the copy and the cut
 * is lost from the log.
 */
import { copyFile, open, rename, truncate } from 'node:fs/promises';

/**
 * At most the last `tailBytes` bytes of the log, the part copied away included; empty when there is
 * none.
 */
export const readLogTail = async (path: string, tailBytes: number): Promise<Buffer> => {
  const current = await readFrom(path, -tailBytes);
  if (current.length >= tailBytes) return current;
  const older = await readFrom(olderPart(path), -(tailBytes - current.length));
  return Buffer.concat([older, current]);
};

/**
 * From `offset`, or the last `-offset` bytes when it is negative. Empty when the file is absent or
 * shorter.
 */
export const readFrom = async (path: string, offset: number): Promise<Buffer> => {
  if (offset === 0 && Object.is(offset, -0)) return Buffer.alloc(0);
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const start = offset < 0 ? Math.max(0, size + offset) : offset;
    if (start >= size) return Buffer.alloc(0);
    const bytes = Buffer.alloc(size - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    return bytes.subarray(0, bytesRead);
  } catch (error) {
    if (isAbsent(error)) return Buffer.alloc(0);
    throw error;
  }
};

/** 0 when the file is absent. */
export const logSizeBytes = async (path: string): Promise<number> => {
  try {
    await using file = await open(path, 'r');
    return (await file.stat()).size;
  } catch (error) {
    if (isAbsent(error)) return 0;
    throw error;
  }
};

/**
 * Moves the log's content to its older part, which it replaces. Answers how many bytes the log
 * lost.
 */
export const rotateLog = async (path: string): Promise<number> => {
  const unfinished = `${olderPart(path)}.new`;
  await copyFile(path, unfinished);
  await rename(unfinished, olderPart(path));
  const sizeBytes = await logSizeBytes(path);
  await truncate(path, 0);
  return sizeBytes;
};

/**
 * What follows `logged` once the overlap is taken off: `live` began at some moment before the log
 * was read, so the log may end with the bytes that `live` begins with.
 */
export const withoutOverlap = (logged: Buffer, live: Buffer): Buffer => {
  const longest = Math.min(logged.length, live.length);
  for (let length = longest; length > 0; length -= 1) {
    if (logged.subarray(logged.length - length).equals(live.subarray(0, length))) {
      return live.subarray(length);
    }
  }
  return live;
};

const olderPart = (path: string): string => `${path}.1`;

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
