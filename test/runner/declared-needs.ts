import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isToolName } from '../../deploy/tools/catalog.ts';
import type { Need } from '../needs.ts';

/** The needs that the test files among `patterns` declare (relative to `root`), each once. */
export const declaredNeeds = (root: string, patterns: readonly string[]): Need[] => {
  const files = globSync([...patterns], { cwd: root });
  const found = files.flatMap((file) => needsInSource(readSource(join(root, file))));
  return [...new Set(found)].sort();
};

/** Unreadable names (a folder that matches a pattern) declare nothing. */
const readSource = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** `needs('qemu', 'apt')` in a source text. A name that nothing knows is left to needs() itself. */
export const needsInSource = (source: string): Need[] => {
  const needs: Need[] = [];
  for (const call of source.matchAll(/\bneeds\(([^)]*)\)/g)) {
    for (const name of (call[1] ?? '').matchAll(/['"]([a-z0-9-]+)['"]/g)) {
      const text = name[1] ?? '';
      if (text === 'apt' || isToolName(text)) needs.push(text);
    }
  }
  return needs;
};
