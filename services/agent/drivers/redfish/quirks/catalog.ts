import type { BmcIdentity, Quirk } from '../quirk.ts';

/** All that is known, in the order in which they apply. */
export const QUIRKS: readonly Quirk[] = [];

export const quirksOf = (identity: BmcIdentity): readonly Quirk[] =>
  QUIRKS.filter((quirk) => quirk.applies(identity));
