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

/** Whether all of it fits beside what is used of each of the shape's types, in their order. */
export const fitsBeside = (
  { codes, offers }: Pick<Shape, 'codes' | 'offers'>,
  used: readonly number[],
  resources: readonly ResourceRequest[],
): boolean => {
  for (const asked of resources) {
    const offer = offers.get(asked.resourceType);
    if (offer === undefined) return false;
    const free = offer.usable - (used[codes.indexOf(asked.resourceType)] ?? 0);
    if (mostAmount(offer, asked, free) === undefined) return false;
  }
  return true;
};
