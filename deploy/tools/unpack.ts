import type { Dirent } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './run-command.ts';

const UNPACK_LIMIT_MS = 300_000;

/**
 * Unpacks one Debian archive into `tree`. It is unpacked beside the tree and then moved in file by
 * file, so a program that runs from the tree never sees half a file; `stamp` is written last and
 * says that it is all there. Both may be repeated. Throws when dpkg refuses.
 */
export const unpackInto = async (
  archive: string,
  { tree, stamp, signal }: { tree: string; stamp: string; signal?: AbortSignal },
): Promise<void> => {
  await mkdir(tree, { recursive: true });
  await mkdir(dirname(stamp), { recursive: true });
  const temporary = await mkdtemp(join(dirname(tree), 'unpacking-'));
  try {
    const result = await runCommand('dpkg', ['-x', archive, temporary], {
      limitMs: UNPACK_LIMIT_MS,
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.exitCode !== 0) throw new Error(`Cannot unpack ${archive}: ${result.stderr.trim()}`);
    await moveInto(temporary, tree);
    await writeAtomically(stamp, '');
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
};

const moveInto = async (from: string, to: string): Promise<void> => {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (!(await isDirectory(target))) await rename(source, target);
    else if (entry.isDirectory()) await moveInto(source, target);
    // What is left is a link onto a folder that is already there: the folder stays.
  }
};

/** Folders under `tree` that hold shared libraries, relative to it, for LD_LIBRARY_PATH. */
export const libraryFolders = async (tree: string, triplet: string): Promise<string[]> => {
  const found: string[] = [];
  for (const base of [`usr/lib/${triplet}`, `lib/${triplet}`, 'usr/lib']) {
    const entries = await entriesOf(join(tree, base));
    if (entries.some((entry) => isLibrary(entry.name))) found.push(base);
    if (base === 'usr/lib') continue;
    // Some libraries keep private ones in a folder that only their own absolute run path names.
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const inner = await entriesOf(join(tree, base, entry.name));
      if (inner.some((one) => isLibrary(one.name))) found.push(`${base}/${entry.name}`);
    }
  }
  return found;
};

const isLibrary = (name: string): boolean => /^lib.+\.so(\.|$)/.test(name);

const entriesOf = async (folder: string): Promise<Dirent[]> => {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    return [];
  }
};

/** The file has either its old content or all of the new one. */
export const writeAtomically = async (file: string, text: string): Promise<void> => {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  await writeFile(temporary, text);
  await rename(temporary, file);
};

const isDirectory = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
};
