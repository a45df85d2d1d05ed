/**
 * What claims have of one provider, now and later, and what follows for its tree: a whole machine
 * takes everything below it, and whatever is taken of a part keeps the whole above it from others.
 */
import { type Hold, isWhole } from './hold.ts';

/** A hold of another provider of the tree; `source` is its number. */
export type Implied = { readonly source: number; readonly hold: Hold };

export type Booked = {
  /** What claims hold of this very provider. */
  own: readonly Hold[];
  /** Holds of a whole provider above it: nothing of this one is free meanwhile. */
  above: Implied[] | undefined;
  /** Holds of parts below it: it cannot be taken whole meanwhile. */
  below: Implied[] | undefined;
  /**
   * Sums of `own` by resource type, without those of the whole: never less than what is used at any
   * instant, and exactly that while nothing is timed. undefined = nothing.
   */
  sums: Map<string, number> | undefined;
  /** Of `own`, those of the whole. */
  wholes: number;
  /** Of all, those that end, or had not begun when they were made. */
  timed: number;
};

const NOTHING: readonly Hold[] = [];

export const createBooked = (): Booked => ({
  own: NOTHING,
  above: undefined,
  below: undefined,
  sums: undefined,
  wholes: 0,
  timed: 0,
});

export const isUntouched = ({ own, above, below }: Booked): boolean =>
  own.length === 0 && above === undefined && below === undefined;

/** True when the claim's hold is this one already. */
export const isBooked = ({ own }: Booked, hold: Hold | undefined): boolean => {
  if (hold === undefined) return false;
  const { claimUid, amounts, fromMs, toMs, later, whole } = hold;
  const before = own.find((one) => one.claimUid === claimUid);
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

/** Puts the claim's hold in place of the one that it had; undefined = takes that away. */
export const bookOwn = (booked: Booked, claimUid: string, hold: Hold | undefined): void => {
  const before = booked.own.find((one) => one.claimUid === claimUid);
  if (before !== undefined) count(booked, before, -1);
  if (hold !== undefined) count(booked, hold, 1);
  booked.own = replaced(booked.own, before, hold);
};

/** A list of just its length: most providers have one hold, and a list that grew keeps room. */
const replaced = (
  own: readonly Hold[],
  before: Hold | undefined,
  hold: Hold | undefined,
): readonly Hold[] => {
  if (hold === undefined) return before === undefined ? own : own.filter((one) => one !== before);
  if (before !== undefined) return own.map((one) => (one === before ? hold : one));
  return own.length === 0 ? [hold] : [...own, hold];
};

const count = (booked: Booked, hold: Hold, by: 1 | -1): void => {
  if (isTimed(hold)) booked.timed += by;
  if (isWhole(hold)) {
    booked.wholes += by;
    return;
  }
  booked.sums ??= new Map();
  for (const [code, amount] of hold.amounts) {
    const sum = (booked.sums.get(code) ?? 0) + by * amount;
    if (sum === 0) booked.sums.delete(code);
    else booked.sums.set(code, sum);
  }
};

export type ImpliedChange = {
  readonly side: 'above' | 'below';
  readonly source: number;
  readonly claimUid: string;
  readonly hold: Hold | undefined;
};

/** The same for what a hold elsewhere in the tree implies here. */
export const bookImplied = (
  booked: Booked,
  { side, source, claimUid, hold }: ImpliedChange,
): void => {
  const kept: Implied[] = [];
  for (const one of booked[side] ?? []) {
    if (one.source !== source || one.hold.claimUid !== claimUid) kept.push(one);
    else if (isTimed(one.hold)) booked.timed -= 1;
  }
  if (hold !== undefined) {
    kept.push({ source, hold });
    if (isTimed(hold)) booked.timed += 1;
  }
  booked[side] = kept.length === 0 ? undefined : kept;
};

/** True when what is free beside it depends on the window. Never changes for one hold. */
const isTimed = ({ toMs, later }: Hold): boolean => toMs !== Infinity || later === true;
