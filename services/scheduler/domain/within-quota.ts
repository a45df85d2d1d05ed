/**
 * Places a request that says how little will do: where the quota does not allow all that would fit,
 * it is given as much as the quota allows.
 */
import type { Placement, RequestGroup } from './claim.ts';
import type { PartitionState } from './partition-state.ts';
import { hasMinimum, type PlaceRequest, place } from './place.ts';
import type { Plan } from './plan.ts';
import type { Counting, Excess } from './quota-book.ts';
import { givenAmounts, leastAmounts } from './quota-count.ts';

/** Each round takes from one resource type what one limit does not allow. */
const ROUNDS_MAX = 64;

export const placeWithinQuota = (
  { providers, quotas }: Pick<PartitionState, 'providers' | 'quotas'>,
  request: PlaceRequest,
  who: Counting,
): Plan => {
  const { spec, window } = request;
  if (!hasMinimum(spec.groups) || !quotas.areSetFor(who)) return place(providers, request);
  let { groups } = spec;
  for (let round = 1; ; round += 1) {
    const found = place(providers, { ...request, spec: { ...spec, groups } });
    if (found.kind !== 'placed') return found;
    const placements = found.placements.map((one) => withAmounts(one, groups));
    const excess = quotas.excess(who, givenAmounts(spec, placements), window);
    const less = excess && lessOf(groups, spec.count, excess);
    if (less === undefined || round === ROUNDS_MAX) return { ...found, placements };
    groups = less;
  }
};

/** What was given of it, also where that is all that was asked for. */
const withAmounts = (placement: Placement, groups: readonly RequestGroup[]): Placement => {
  const { resources = [] } = groups[placement.group] ?? {};
  const positions = placement.resources ?? [...resources.keys()];
  const amounts = placement.amounts ?? positions.map((at) => resources[at]?.amount ?? 0);
  return { ...placement, amounts };
};

/** Groups that ask for no more than the limit leaves; undefined = they cannot ask for less. */
const lessOf = (
  groups: readonly RequestGroup[],
  count: number,
  { resourceType, limit, used }: Excess,
): readonly RequestGroup[] | undefined => {
  let room = limit - used - (leastAmounts({ groups, count }).get(resourceType) ?? 0);
  if (room < 0) return undefined;
  let isLess = false;
  const reduced = groups.map((group) => {
    const resources = group.resources.map((one) => {
      const { minAmount } = one;
      if (one.resourceType !== resourceType || minAmount === undefined) return one;
      const amount = Math.min(one.amount, minAmount + Math.floor(room / count));
      room -= (amount - minAmount) * count;
      if (amount < one.amount) isLess = true;
      return { ...one, amount };
    });
    return { ...group, resources };
  });
  return isLess ? reduced : undefined;
};
