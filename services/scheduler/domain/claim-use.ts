/**
 * What a claim counts for in reports of usage: its amounts from the begin of its window until its
 * release begins, as for the quota. The time of cleaning is nobody's use.
 */
import { type ClaimRecord, keyOf, placedResources } from './claim.ts';

export type ClaimUse = {
  readonly claimUid: string;
  readonly project: string;
  /** Principal that made it. */
  readonly owner: string;
  readonly consumerType: string;
  readonly fromMs: number;
  /** Infinity = nobody knows when it ends. */
  readonly toMs: number;
  /** By resource type. */
  readonly amounts: ReadonlyMap<string, number>;
};

/** Consumer type of a claim without consumer. */
export const NO_CONSUMER = 'none';

/** undefined = it ended before it began. */
export const useOf = (claim: ClaimRecord): ClaimUse | undefined => {
  const { spec, releaseBeginMs } = claim;
  const toMs = Math.min(releaseBeginMs ?? Infinity, spec.releaseMs ?? Infinity);
  if (toMs <= spec.acquireMs) return undefined;
  const amounts = new Map<string, number>();
  for (const placement of claim.placements) {
    const group = spec.groups[placement.group];
    if (group === undefined) continue;
    for (const { resourceType, amount } of placedResources(group, placement)) {
      amounts.set(resourceType, (amounts.get(resourceType) ?? 0) + amount);
    }
  }
  return {
    claimUid: claim.uid,
    project: keyOf(claim.project),
    owner: claim.owner,
    consumerType: spec.consumer?.type || NO_CONSUMER,
    fromMs: spec.acquireMs,
    toMs,
    amounts,
  };
};
