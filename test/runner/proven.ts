import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { GROUPS_FOLDER } from './unit-groups.ts';

/**
 * What was found to be well and is as it was: a check reads nothing but files of the repository,
 * and programs and types of node_modules. It is kept there, so that `npm ci` takes it away.
 */
export type Proven = {
  readonly has: (check: string) => boolean;
  /** Kept where that can be written, unless a file was changed since this was opened. */
  readonly keep: (checks: readonly string[]) => void;
};

const FOLDERS = ['proto', 'services', 'gen', 'deploy', 'test'];
/** What npm has installed: each version with its checksum. */
const INSTALLED = 'node_modules/.package-lock.json';
const GROUPED = `${GROUPS_FOLDER}/`;

export const openProven = (root: string): Proven => {
  const file = join(root, 'node_modules', '.cache', 'proven.json');
  const digest = digestOf(root);
  const known = readKnown(file);
  const before = digest !== undefined && known.digest === digest ? known.checks : [];
  return {
    has: (check) => before.includes(check),
    keep: (checks) => {
      if (digest === undefined || checks.every((one) => before.includes(one))) return;
      if (digestOf(root) !== digest) return;
      const own = `${file}.${process.pid}`;
      try {
        writeFileSync(own, JSON.stringify({ digest, checks }));
        renameSync(own, file);
      } catch {
        // Somebody else's checkout is checked each time.
      }
    },
  };
};

/**
 * Over every file that a check may read, also over those that say how it is called. Undefined where
 * one goes meanwhile.
 */
const digestOf = (root: string): string | undefined => {
  const hash = createHash('sha256').update(`${process.version} ${process.platform}`);
  try {
    for (const file of filesOf(root)) {
      const bytes = readFileSync(join(root, file));
      hash.update(`\n${file} ${bytes.length}\n`).update(bytes);
    }
  } catch {
    return undefined;
  }
  return hash.digest('hex');
};

const filesOf = (root: string): readonly string[] => {
  const below = FOLDERS.flatMap((folder) => filesIn(root, folder, true));
  const ours = [...filesIn(root, '', false), ...below].filter((file) => !file.startsWith(GROUPED));
  return [...ours, ...(existsSync(join(root, INSTALLED)) ? [INSTALLED] : [])].sort();
};

const filesIn = (root: string, folder: string, recursive: boolean): readonly string[] =>
  readdirSync(join(root, folder), { recursive, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));

type Known = { readonly digest?: unknown; readonly checks: readonly unknown[] };

const readKnown = (file: string): Known => {
  try {
    const { digest, checks }: Known = JSON.parse(readFileSync(file, 'utf8'));
    return { digest, checks: Array.isArray(checks) ? checks : [] };
  } catch {
    return { checks: [] };
  }
};
