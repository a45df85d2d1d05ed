/** Which open providers meet everything but what is free, as bits. */

import type { NumberSet } from './number-set.ts';
import { andBits } from './number-set.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { Selection } from './selection.ts';

export const matching = (index: ProviderIndex, selection: Selection): Uint32Array => {
  const { shapes, within, without } = selection;
  const bits = new Uint32Array((index.width() >>> 5) + 1);
  const those = new Uint32Array(bits.length);
  const union = (sets: Iterable<NumberSet>): Uint32Array => {
    those.fill(0);
    for (const set of sets) set.orInto(those);
    return those;
  };
  for (const { members } of shapes) members.orInto(bits);
  andBits(bits, union([index.open]));
  for (const sets of within) andBits(bits, union(sets));
  if (without.length > 0) {
    union(without);
    for (let at = 0; at < bits.length; at += 1) bits[at] = (bits[at] ?? 0) & ~(those[at] ?? 0);
  }
  return bits;
};
