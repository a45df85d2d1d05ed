/** What is used of a provider now, and what is free of it over a window. */
import type { Offers } from './capacity.ts';
import { type ClaimRecord, WHOLE } from './claim.ts';
import { isUsing, type Surroundings } from './claim-state.ts';
import { type Hold, holdsOf, type Interval, isWhole, overlaps, peakUse } from './hold.ts';

export type ResourceUsage = {
  readonly resourceType: string;
  readonly usable: number;
  readonly used: number;
};

/** One per resource type that is offered or used, in the order of the codes. */
export const usageOf = (
  providerUid: string,
  around: Surroundings,
  nowMs: number,
): readonly ResourceUsage[] => {
  const offers: Offers = around.offersOf(providerUid);
  const used = new Map<string, number>();
  for (const claim of around.claimsOn(providerUid)) {
    for (const [code, amount] of amountsNow(claim, providerUid, { around, nowMs })) {
      used.set(code, (used.get(code) ?? 0) + amount);
    }
  }
  return [...new Set([...offers.keys(), ...used.keys()])].sort().map((resourceType) => ({
    resourceType,
    usable: offers.get(resourceType)?.usable ?? 0,
    used: used.get(resourceType) ?? 0,
  }));
};

type Now = { readonly around: Surroundings; readonly nowMs: number };

const amountsNow = (
  claim: ClaimRecord,
  providerUid: string,
  { around, nowMs }: Now,
): Iterable<readonly [string, number]> => {
  if (!isUsing(claim, providerUid, { around, nowMs })) return [];
  return holdsOf(claim, nowMs).get(providerUid)?.amounts ?? [];
};

type When = { readonly window: Interval; readonly nowMs: number };

/** Amounts that nobody holds at any instant of the window, by resource type. */
export const freeOf = (
  providerUid: string,
  around: Surroundings,
  { window, nowMs }: When,
): ((resourceType: string) => number) => {
  const holdsOn = (uid: string): readonly Hold[] =>
    [...around.claimsOn(uid)].flatMap((claim) => {
      const hold = holdsOf(claim, nowMs).get(uid);
      return hold !== undefined && overlaps(hold, window) ? [hold] : [];
    });
  const holds = holdsOn(providerUid);
  const isTaken =
    holds.some(isWhole) || [...around.above(providerUid)].some((uid) => holdsOn(uid).some(isWhole));
  const isWholeFree = (): boolean =>
    holds.length === 0 && [...around.below(providerUid)].every((uid) => holdsOn(uid).length === 0);
  const offers = around.offersOf(providerUid);
  return (resourceType) => {
    if (isTaken || (resourceType === WHOLE && !isWholeFree())) return 0;
    const usable = offers.get(resourceType)?.usable ?? 0;
    return Math.max(0, usable - peakUse(holds, resourceType, window));
  };
};
