/** What projects may hold, and what they are said to hold. */
import type { Evidence, Violation } from './evidence.ts';
import { callsOf, grantedOf } from './history.ts';
import { excesses, type Hold } from './intervals.ts';
import type { StoredClaim } from './stored.ts';

/** What quotas show as used is what the claims hold whose release has not begun. */
export const inexactQuota = ({ stored, quotas = [] }: Evidence): readonly Violation[] =>
  quotas.flatMap(({ project, resourceType, used, atMs }) => {
    const sum = stored.claims
      .filter((claim) => isOf(claim, project) && claim.releaseBeginMs === undefined)
      .filter(({ acquireMs, releaseMs }) => acquireMs <= atMs && atMs < releaseMs)
      .flatMap(({ holds }) => holds.map(({ amounts }) => amounts.get(resourceType) ?? 0))
      .reduce((total, amount) => total + amount, 0);
    if (sum === used) return [];
    const what = `${resourceType} of project ${project}`;
    const message = `the quota shows ${used} ${what} as used, the claims hold ${sum}`;
    return [{ rule: 'quota-inexact', message }];
  });

/**
 * When a claim was placed, its project stayed within its limits over the claim's window. Only for
 * projects whose limits were set once, before anybody claimed: the leader's clock is not ours.
 */
export const exceededQuota = ({ calls, stored }: Evidence): readonly Violation[] => {
  const sets = callsOf(calls, 'set-quota');
  const firstMs = Math.min(Infinity, ...callsOf(calls, 'create').map(({ beganMs }) => beganMs));
  const moved = new Set(callsOf(calls, 'move-end').map(({ request }) => request.claimUid));
  return grantedOf(calls, 'set-quota').flatMap(({ request, endedMs }) => {
    const { project, limits } = request;
    const isOnlyOne = sets.filter((other) => other.request.project === project).length === 1;
    if (!isOnlyOne || endedMs > firstMs) return [];
    const claims = stored.claims.filter((claim) => isOf(claim, project) && !moved.has(claim.uid));
    return claims.flatMap((claim) => aboveLimits(claim, claims, limits));
  });
};

const aboveLimits = (
  claim: StoredClaim,
  claims: readonly StoredClaim[],
  limits: ReadonlyMap<string, number>,
): readonly Violation[] => {
  const { createMs, acquireMs: fromMs, releaseMs: toMs } = claim;
  const counted = claims
    .filter((one) => one.createMs <= createMs && (one.releaseBeginMs ?? Infinity) > createMs)
    .map((one) => countedOf(one, limits))
    .filter((hold) => hold.fromMs < toMs && fromMs < hold.toMs);
  const found = excesses(counted, {
    fleet: [{ uid: claim.project.toLowerCase(), amounts: new Map() }],
    mostOf: () => limits,
    instantsOf: (holds) => holds.map((hold) => Math.max(fromMs, hold.fromMs)),
  });
  return found.map((message) => ({
    rule: 'quota-exceeded',
    message: `when claim ${claim.uid} was placed, ${message}`,
  }));
};

/** As if the project were a provider that has what it may hold. */
const countedOf = (claim: StoredClaim, limits: ReadonlyMap<string, number>): Hold => {
  const sums = new Map<string, number>();
  for (const [code, amount] of claim.holds.flatMap(({ amounts }) => [...amounts])) {
    if (limits.has(code)) sums.set(code, (sums.get(code) ?? 0) + amount);
  }
  return {
    claimUid: claim.uid,
    providerUid: claim.project.toLowerCase(),
    amounts: sums,
    fromMs: claim.acquireMs,
    toMs: claim.releaseMs,
  };
};

const isOf = (claim: StoredClaim, project: string): boolean =>
  claim.project.toLowerCase() === project.toLowerCase();
