/**
 * What claims have of one provider, now and later, and what follows for its tree: a whole machine
 * takes everything below it, and whatever is taken of a part keeps the whole above it from others.
 */
import { type Hold, isWhole } from './hold.ts';

/** A hold of another provider of the tree; `source` is its number. */
export type Implied = { readonly source: number; readonly hold: Hold };

/**
 * Put in the place of one another: machines that one claim has and nobody else share one.
 * undefined = nothing is held.
 */
export type Booked = {
  /** What claims hold of this very provider. Of several, one more is added to the same list. */
  readonly own: Hold[];
  /** Holds of a whole provider above it: nothing of this one is free meanwhile. */
  readonly above: readonly Implied[] | undefined;
  /** Holds of parts below it: it cannot be taken whole meanwhile. */
  readonly below: readonly Implied[] | undefined;
  /**
   * Sums of `own` by resource type, without those of the whole: never less than what is used at any
   * instant, and exactly that while nothing is timed. undefined = nothing.
   */
  readonly sums: ReadonlyMap<string, number> | undefined;
  /** Of `own`, those of the whole. */
  readonly wholes: number;
  /** Of all, those that end, or had not begun when they were made. */
  readonly timed: number;
};

const NOTHING: Booked = {
  own: [],
  above: undefined,
  below: undefined,
  sums: undefined,
  wholes: 0,
  timed: 0,
};

/** True when the claim's hold is this one already. */
export const isBooked = (booked: Booked | undefined, hold: Hold | undefined): boolean => {
  if (hold === undefined || booked === undefined) return false;
  const { claimUid, amounts, fromMs, toMs, later, whole } = hold;
  const before = booked.own.find((one) => one.claimUid === claimUid);
  if (before === hold) return true;
  return (
    before !== undefined &&
    before.amounts === amounts &&
    before.fromMs === fromMs &&
    before.toMs === toMs &&
    before.later === later &&
    before.whole === whole
  );
};

/** True when it is one hold of that claim and nothing else. */
export const isOnly = (booked: Booked | undefined, claimUid: string): boolean =>
  booked !== undefined &&
  booked.own.length === 1 &&
  booked.own[0]?.claimUid === claimUid &&
  booked.above === undefined &&
  booked.below === undefined;

/** With the claim's hold in place of the one that it had; undefined = without that. */
export const withOwn = (
  booked: Booked = NOTHING,
  claimUid: string,
  hold: Hold | undefined,
): Booked | undefined => {
  const before = booked.own.find((one) => one.claimUid === claimUid);
  return unlessEmpty({
    ...booked,
    own: replaced(booked.own, before, hold),
    sums: summed(summed(booked.sums, before, -1), hold, 1),
    wholes: booked.wholes - countIf(before, isWhole) + countIf(hold, isWhole),
    timed: booked.timed - countIf(before, isTimed) + countIf(hold, isTimed),
  });
};

const unlessEmpty = (booked: Booked): Booked | undefined =>
  booked.own.length === 0 && booked.above === undefined && booked.below === undefined
    ? undefined
    : booked;

const countIf = (hold: Hold | undefined, is: (hold: Hold) => boolean): number =>
  hold !== undefined && is(hold) ? 1 : 0;

/**
 * A list of just its length: most providers have one hold, and a list that grew keeps room. Of
 * several holds, of which a VM host has hundreds, no two providers share a list: it grows.
 */
const replaced = (own: Hold[], before: Hold | undefined, hold: Hold | undefined): Hold[] => {
  if (hold === undefined) return before === undefined ? own : own.filter((one) => one !== before);
  if (before !== undefined) return own.map((one) => (one === before ? hold : one));
  if (own.length <= 1) return [...own, hold];
  own.push(hold);
  return own;
};

const summed = (
  sums: Booked['sums'],
  hold: Hold | undefined,
  by: 1 | -1,
): ReadonlyMap<string, number> | undefined => {
  if (hold === undefined || isWhole(hold)) return sums;
  const next = new Map(sums);
  for (const [code, amount] of hold.amounts) {
    const sum = (next.get(code) ?? 0) + by * amount;
    if (sum === 0) next.delete(code);
    else next.set(code, sum);
  }
  return next;
};

export type ImpliedChange = {
  readonly side: 'above' | 'below';
  readonly source: number;
  readonly claimUid: string;
  readonly hold: Hold | undefined;
};

/** The same for what a hold elsewhere in the tree implies here. */
export const withImplied = (
  booked: Booked = NOTHING,
  { side, source, claimUid, hold }: ImpliedChange,
): Booked | undefined => {
  const kept: Implied[] = [];
  let { timed } = booked;
  for (const one of booked[side] ?? []) {
    if (one.source !== source || one.hold.claimUid !== claimUid) kept.push(one);
    else timed -= countIf(one.hold, isTimed);
  }
  if (hold !== undefined) kept.push({ source, hold });
  return unlessEmpty({
    ...booked,
    [side]: kept.length === 0 ? undefined : kept,
    timed: timed + countIf(hold, isTimed),
  });
};

/** True when what is free beside it depends on the window. Never changes for one hold. */
const isTimed = ({ toMs, later }: Hold): boolean => toMs !== Infinity || later === true;
