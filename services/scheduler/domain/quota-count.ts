/** How much of what a claim counts against quotas, and when. */
import { type ClaimRecord, type ClaimSpec, type Placement, placedResources } from './claim.ts';
import type { Interval } from './hold.ts';

export type Amounts = ReadonlyMap<string, number>;

/** Over its window, until its release begins; undefined = not at all. */
export const countedOver = ({ spec, releaseBeginMs }: ClaimRecord): Interval | undefined =>
  releaseBeginMs === undefined
    ? { fromMs: spec.acquireMs, toMs: spec.releaseMs ?? Infinity }
    : undefined;

/** What its placements were given, by resource type. */
export const givenAmounts = (
  spec: Pick<ClaimSpec, 'groups'>,
  placements: readonly Placement[],
): Amounts => {
  const amounts = new Map<string, number>();
  for (const placement of placements) {
    const group = spec.groups[placement.group];
    if (group === undefined) continue;
    for (const { resourceType, amount } of placedResources(group, placement)) {
      amounts.set(resourceType, (amounts.get(resourceType) ?? 0) + amount);
    }
  }
  return amounts;
};

/** The least that would do, before anything is placed. */
export const leastAmounts = ({ groups, count }: Pick<ClaimSpec, 'groups' | 'count'>): Amounts => {
  const amounts = new Map<string, number>();
  for (const { resourceType, amount, minAmount } of groups.flatMap(({ resources }) => resources)) {
    const least = (minAmount ?? amount) * count;
    amounts.set(resourceType, (amounts.get(resourceType) ?? 0) + least);
  }
  return amounts;
};
