/** How much is given where less than the whole amount will do. */
import { type Offer, unitProblem } from './capacity.ts';
import type { ResourceRequest } from './claim.ts';
import type { Shape } from './shape.ts';

/**
 * The least amount that an offer could give: what is asked for, or with a minimum the smallest
 * multiple of the steps at or above it. undefined = none.
 */
export const leastAmount = (
  offer: Offer,
  { amount, minAmount }: ResourceRequest,
): number | undefined => {
  if (minAmount === undefined) return amount;
  const least = Math.max(minAmount, offer.minUnit);
  const stepped = Math.ceil(least / offer.stepSize) * offer.stepSize;
  return stepped <= amount ? stepped : undefined;
};

/** The largest amount that fits: never more than asked for, in steps. undefined = not the least. */
export const mostAmount = (
  offer: Offer,
  asked: ResourceRequest,
  free: number,
): number | undefined => {
  if (asked.amount <= free && unitProblem(offer, asked.amount) === undefined) return asked.amount;
  const least = leastAmount(offer, asked);
  if (asked.minAmount === undefined || least === undefined) return undefined;
  const cap = Math.min(free, asked.amount, offer.maxUnit > 0 ? offer.maxUnit : Infinity);
  const most = Math.floor(cap / offer.stepSize) * offer.stepSize;
  return most >= least && most > 0 ? most : undefined;
};

/**
 * Tells whether all of it fits beside what is used of each of the shape's types, in their order. A
 * shape has hundreds of such sums, and they are all asked.
 */
export const fitsBeside = (
  { codes, offers }: Pick<Shape, 'codes' | 'offers'>,
  resources: readonly ResourceRequest[],
): ((used: readonly number[]) => boolean) => {
  const wanted: { asked: ResourceRequest; offer: Offer; at: number }[] = [];
  for (const asked of resources) {
    const offer = offers.get(asked.resourceType);
    if (offer === undefined) return () => false;
    wanted.push({ asked, offer, at: codes.indexOf(asked.resourceType) });
  }
  return (used) => {
    for (const { asked, offer, at } of wanted) {
      if (mostAmount(offer, asked, offer.usable - (used[at] ?? 0)) === undefined) return false;
    }
    return true;
  };
};
