import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { type HeldLock, tryLock } from '../deploy/tools/file-lock.ts';
import { ownTemporaryDir } from './tools-dir.ts';

export type Numbers = {
  /** Of what: each kind counts by itself. */
  readonly kind: string;
  readonly first: number;
  readonly last: number;
};

/** Kept reachable: a lock that is collected as garbage is given back. */
const held = new Set<HeldLock>();

/**
 * A number that no other test of this user gets until this test file's worker ends. Numbers drawn
 * at random meet now and then, as there are thousands of tests.
 */
export const ownNumber = ({ kind, first, last }: Numbers): number => {
  const folder = ownTemporaryDir('runm-test-numbers');
  const count = last - first + 1;
  const from = randomInt(count);
  for (let step = 0; step < count; step += 1) {
    const number = first + ((from + step) % count);
    const lock = tryLock(join(folder, `${kind}-${number}.sqlite`));
    if (lock === undefined) continue;
    held.add(lock);
    return number;
  }
  throw new RangeError(`All of ${kind} ${first} to ${last} are in use`);
};
