/** What is used of a provider now. */
import type { Offers } from './capacity.ts';
import type { ClaimRecord } from './claim.ts';
import { isUsing, type Surroundings } from './claim-state.ts';
import { holdsOf } from './hold.ts';

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
