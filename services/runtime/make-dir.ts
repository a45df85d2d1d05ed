import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * A directory with what is missing above it. mkdir of Node with `recursive` never ends where a file
 * system answers ENOENT to a new name, as /proc does, and hides why others refuse.
 */
export const makeDir = (path: string, mode = 0o700): void => {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at);
  for (const dir of missing.toReversed()) {
    try {
      mkdirSync(dir, { mode });
    } catch (error) {
      // Another made it meanwhile.
      if (!isDirectory(dir)) throw error;
    }
  }
  // Says so where it is something else.
  if (!isDirectory(path)) mkdirSync(path);
};

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
