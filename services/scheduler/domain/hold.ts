/**
 * What a claim holds of one provider over time, and how much of a provider is used at its busiest
 * instant. Intervals are half open: what ends at 12:00 leaves room for what begins at 12:00.
 */
import {
  type ClaimRecord,
  isReleasing,
  placedResources,
  type ResourceRequest,
  WHOLE,
} from './claim.ts';

export type Hold = {
  readonly claimUid: string;
  /** Sum of the claim's amounts on this provider, by resource type. */
  readonly amounts: ReadonlyMap<string, number>;
  readonly fromMs: number;
  /** Infinity = until it is given back. */
  readonly toMs: number;
  /** It had not begun when this was made. */
  readonly later?: true;
  /** Whether it takes the provider as a whole; absent = see `amounts`. */
  readonly whole?: boolean;
};

export type Interval = { readonly fromMs: number; readonly toMs: number };

export const overlaps = (a: Interval, b: Interval): boolean =>
  a.fromMs < b.toMs && b.fromMs < a.toMs;

/** True when the hold takes the provider as a whole: nothing else fits beside it. */
export const isWhole = ({ amounts, whole }: Pick<Hold, 'amounts' | 'whole'>): boolean =>
  whole ?? (amounts.get(WHOLE) ?? 0) > 0;

/**
 * The claim's holds by provider uid, without those that were given back. A releasing claim holds
 * until then, whatever its window says: the clock never frees a provider.
 */
export const holdsOf = (claim: ClaimRecord, nowMs: number): ReadonlyMap<string, Hold> => {
  const toMs = isReleasing(claim, nowMs) ? Infinity : (claim.spec.releaseMs ?? Infinity);
  const { uid, spec } = claim;
  const isLater = spec.acquireMs > nowMs;
  // Written out, with what is absent last: a copy with something added takes half as much again.
  const holdOf = (amounts: Amounts): Hold => {
    const whole = (amounts.get(WHOLE) ?? 0) > 0;
    const hold = { claimUid: uid, amounts, fromMs: spec.acquireMs, toMs, whole };
    return isLater ? { ...hold, later: true } : hold;
  };
  const holds = new Map<string, Hold>();
  /** Machines of one claim are mostly alike, and have one object. */
  let last: Hold | undefined;
  for (const placement of claim.placements) {
    const provider = claim.providers[placement.provider];
    const group = spec.groups[placement.group];
    if (provider === undefined || provider.finishMs !== undefined || group === undefined) continue;
    const amounts = amountsOf(placedResources(group, placement));
    const before = holds.get(provider.uid);
    const sum = before === undefined ? amounts : added(before.amounts, amounts);
    last = last?.amounts === sum ? last : holdOf(sum);
    holds.set(provider.uid, last);
  }
  return holds;
};

type Amounts = ReadonlyMap<string, number>;

/** Most claims ask for the same as others: they share the map of their amounts. */
const known = new WeakMap<object, Amounts>();

const amountsOf = (
  resources: readonly Pick<ResourceRequest, 'resourceType' | 'amount'>[],
): Amounts => {
  const before = known.get(resources);
  if (before !== undefined) return before;
  const amounts = new Map(resources.map(({ resourceType, amount }) => [resourceType, amount]));
  known.set(resources, amounts);
  return amounts;
};

const added = (a: Amounts, b: Amounts): Amounts => {
  const sum = new Map(a);
  for (const [code, amount] of b) sum.set(code, (sum.get(code) ?? 0) + amount);
  return sum;
};

/** The least that is as much as both at every instant; of one claim on one provider. */
export const spanning = (before: Hold, next: Hold): Hold => {
  const amounts = mostOf(before.amounts, next.amounts);
  return {
    ...next,
    fromMs: Math.min(before.fromMs, next.fromMs),
    toMs: Math.max(before.toMs, next.toMs),
    amounts,
    whole: isWhole({ amounts }),
  };
};

const mostOf = (a: Amounts, b: Amounts): Amounts => {
  const isWithin = [...a].every(([code, amount]) => amount <= (b.get(code) ?? 0));
  if (isWithin) return b;
  const most = new Map(b);
  for (const [code, amount] of a) most.set(code, Math.max(amount, b.get(code) ?? 0));
  return most;
};

/** The largest sum of one resource type at any instant of the interval. */
export const peakUse = (
  holds: Iterable<Hold>,
  resourceType: string,
  interval: Interval,
): number => {
  const steps: { readonly atMs: number; readonly by: number }[] = [];
  for (const hold of holds) {
    const amount = hold.amounts.get(resourceType) ?? 0;
    if (amount === 0 || !overlaps(hold, interval)) continue;
    steps.push({ atMs: Math.max(hold.fromMs, interval.fromMs), by: amount });
    if (hold.toMs < interval.toMs) steps.push({ atMs: hold.toMs, by: -amount });
  }
  // What ends at an instant makes room before what begins at it.
  steps.sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  let sum = 0;
  let peak = 0;
  for (const { by } of steps) {
    sum += by;
    if (sum > peak) peak = sum;
  }
  return peak;
};
