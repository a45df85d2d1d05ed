import { closeSync, openSync, readSync } from 'node:fs';

const PT_INTERP = 3;
const HEADER_BYTES = 4096;

/**
 * Whether a 64-bit ELF program is statically linked, so that it runs in an initramfs that has no
 * libraries. False for anything that is not a readable 64-bit ELF file.
 */
export const isStaticElf = (path: string): boolean => {
  try {
    const head = Buffer.alloc(HEADER_BYTES);
    const file = openSync(path, 'r');
    try {
      const length = readSync(file, head, 0, HEADER_BYTES, 0);
      return isStaticHeader(head.subarray(0, length));
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
};

/**
 * Layout: https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html; our hosts are
 * little-endian.
 */
export const isStaticHeader = (head: Buffer): boolean => {
  const is64BitElf = head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46 && head[4] === 2;
  if (!is64BitElf) return false;
  const tableOffset = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const entryCount = head.readUInt16LE(56);
  for (let i = 0; i < entryCount; i += 1) {
    const at = tableOffset + i * entryBytes;
    if (at + 4 > head.length) return false;
    // A program header that names the dynamic loader is what makes a program dynamic.
    if (head.readUInt32LE(at) === PT_INTERP) return false;
  }
  return entryCount > 0;
};
