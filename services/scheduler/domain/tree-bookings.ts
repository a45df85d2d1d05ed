/**
 * What a hold of one provider means for the others of its tree. Those below a whole machine are not
 * free while it is held; those above what is held cannot be taken whole.
 */
import { withImplied } from './bookings.ts';
import { type Hold, isWhole } from './hold.ts';
import type { Member } from './provider-index.ts';

type Tree = {
  readonly forest: {
    readonly above: (n: number) => readonly number[];
    readonly below: (n: number) => readonly number[];
  };
  readonly member: (n: number) => Member;
};

/**
 * Books in the tree what the claim's hold of `source` implies; undefined = takes that away. Gives
 * the members that it changed.
 */
export const imply = (
  { forest, member }: Tree,
  source: Member,
  { claimUid, hold }: { readonly claimUid: string; readonly hold: Hold | undefined },
): readonly Member[] => {
  const touched: Member[] = [];
  const put = (n: number, side: 'above' | 'below', what: Hold | undefined): void => {
    const at = member(n);
    if (at.booked === undefined && what === undefined) return;
    at.booked = withImplied(at.booked, { side, source: source.n, claimUid, hold: what });
    touched.push(at);
  };
  const ofWhole = hold !== undefined && isWhole(hold) ? hold : undefined;
  for (const n of forest.below(source.n)) put(n, 'above', ofWhole);
  for (const n of forest.above(source.n)) put(n, 'below', hold);
  return touched;
};
