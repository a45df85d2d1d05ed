import { join } from 'node:path';
import { type HeldLock, takeLock } from '../deploy/tools/file-lock.ts';
import { ownTemporaryDir } from './tools-dir.ts';

/**
 * How many may be in use at once on this machine, over all test files and test runs of this user.
 */
const SLOTS = { guest: 2, database: 2 } as const;

export type SlotKind = keyof typeof SLOTS;

const WAIT_LIMIT_MS = 600_000;

/**
 * Takes a slot, waiting for one up to ten minutes: `using _slot = await slot('guest')`, or keep it
 * and call `release()`. It is given back when the test file's worker ends, however it ends.
 */
export const slot = (kind: SlotKind, signal?: AbortSignal): Promise<HeldLock> => {
  const folder = ownTemporaryDir('runm-test-slots');
  const files = Array.from({ length: SLOTS[kind] }, (_, i) => join(folder, `${kind}-${i}.sqlite`));
  const limit = { limitMs: WAIT_LIMIT_MS };
  return takeLock(files, signal === undefined ? limit : { ...limit, signal });
};
