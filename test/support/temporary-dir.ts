import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory of a test's own, removed with it: `using dir = temporaryDir()`. */
export type TemporaryDir = { readonly path: string } & Disposable;

/** With `inMemory` on a memory disk where there is one, so that no real fsync is waited for. */
export const temporaryDir = ({ inMemory = false } = {}): TemporaryDir => {
  const parent = inMemory && existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const path = mkdtempSync(join(parent, 'runm-test-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};
