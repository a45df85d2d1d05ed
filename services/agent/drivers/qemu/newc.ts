/**
 * The "newc" form of cpio, which is what the Linux kernel reads as an initramfs: a 110 byte header
 * of hexadecimal numbers, the name, the content, each padded to 4 bytes, ended by an entry named
 * TRAILER!!!. Written here because no cpio program can be expected on a host, and because one boot
 * token per start is appended as an archive of its own: the kernel reads concatenated archives one
 * after the other. https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
 */
import { invalidArgument } from '../../../runtime/errors.ts';

/** `path` is relative, without a leading slash; `mode` holds the permission bits only. */
export type NewcEntry =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly content: Uint8Array;
    }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

const MAGIC = '070701';
const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
const TYPE_BITS = { file: 0o100000, directory: 0o040000, symlink: 0o120000 } as const;
const TYPE_MASK = 0o170000;

/**
 * The archive as bytes, always the same for the same entries (owner 0, time 0, inode numbers by
 * order), a multiple of 4 long. A directory has to stand before what lies in it; the kernel makes
 * none by itself.
 */
export const encodeNewc = (entries: readonly NewcEntry[]): Buffer => {
  const parts: Buffer[] = [];
  for (const [index, entry] of entries.entries()) {
    assertRelative(entry.path);
    parts.push(
      encodeEntry({
        inode: index + 1,
        mode: TYPE_BITS[entry.kind] | (entry.kind === 'symlink' ? 0o777 : entry.mode),
        links: entry.kind === 'directory' ? 2 : 1,
        path: entry.path,
        content: contentOf(entry),
      }),
    );
  }
  parts.push(encodeEntry({ inode: 0, mode: 0, links: 1, path: TRAILER, content: Buffer.alloc(0) }));
  return Buffer.concat(parts);
};

/** The entries of the first archive in `archive`; what follows its trailer is ignored. */
export const decodeNewc = (archive: Uint8Array): NewcEntry[] => {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries: NewcEntry[] = [];
  for (let offset = 0; ; ) {
    if (bytes.toString('latin1', offset, offset + 6) !== MAGIC) {
      throw invalidArgument('NOT_NEWC', `Cannot read cpio archive: no newc header at ${offset}`);
    }
    const field = (index: number): number => {
      const at = offset + 6 + index * 8;
      return Number.parseInt(bytes.toString('latin1', at, at + 8), 16);
    };
    const [mode, sizeBytes, nameBytes] = [field(1), field(6), field(11)];
    const nameStart = offset + HEADER_BYTES;
    const contentStart = padded(nameStart + nameBytes);
    if (!(contentStart + sizeBytes <= bytes.length)) {
      throw invalidArgument('NOT_NEWC', `Cannot read cpio archive: it ends within ${offset}`);
    }
    const path = bytes.toString('utf8', nameStart, nameStart + nameBytes - 1);
    if (path === TRAILER) return entries;
    const content = bytes.subarray(contentStart, contentStart + sizeBytes);
    entries.push(entryOf(mode, path, content));
    offset = padded(contentStart + sizeBytes);
  }
};

type RawEntry = {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly path: string;
  readonly content: Buffer;
};

const padded = (length: number): number => (length + 3) & ~3;

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');

const encodeEntry = ({ inode, mode, links, path, content }: RawEntry): Buffer => {
  const name = Buffer.from(`${path}\0`);
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const contentStart = padded(HEADER_BYTES + name.length);
  const entry = Buffer.alloc(padded(contentStart + content.length));
  entry.write(MAGIC + fields.map(hex).join(''), 0, 'latin1');
  name.copy(entry, HEADER_BYTES);
  content.copy(entry, contentStart);
  return entry;
};

const contentOf = (entry: NewcEntry): Buffer => {
  switch (entry.kind) {
    case 'file':
      return Buffer.from(entry.content);
    case 'symlink':
      return Buffer.from(entry.target);
    case 'directory':
      return Buffer.alloc(0);
  }
};

const entryOf = (mode: number, path: string, content: Buffer): NewcEntry => {
  const permissions = mode & ~TYPE_MASK;
  switch (mode & TYPE_MASK) {
    case TYPE_BITS.file:
      return { kind: 'file', path, mode: permissions, content };
    case TYPE_BITS.directory:
      return { kind: 'directory', path, mode: permissions };
    case TYPE_BITS.symlink:
      return { kind: 'symlink', path, target: content.toString('utf8') };
    default:
      throw invalidArgument('NOT_NEWC', `Cannot read cpio entry "${path}": unknown file type`);
  }
};

const assertRelative = (path: string): void => {
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw invalidArgument(
      'BAD_ARCHIVE_PATH',
      `Cannot archive "${path}": expected a relative path without empty, "." or ".." parts`,
      { metadata: { path } },
    );
  }
};
