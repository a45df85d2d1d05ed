/**
 * No double booking, looked at from both ends: by what clients had for certain at the same time,
 * and by what the leader knew when it placed each claim that the store holds.
 */
import type { Evidence, FleetProvider, Violation } from './evidence.ts';
import { type Call, callsOf, type ShownClaim } from './history.ts';
import { excesses, type Hold, largest, type MostOf } from './intervals.ts';
import type { StoredClaim } from './stored.ts';

/**
 * By the clients' clock alone: a claim surely has its resources from the answer that showed it
 * active until somebody begins to give a provider back.
 */
export const usedTwice = ({ calls, fleet }: Evidence): readonly Violation[] => {
  const holds = surelyHad(calls);
  const capacities = callsOf(calls, 'set-capacity');
  const changes = capacities.map(({ endedMs }) => endedMs).filter(Number.isFinite);
  const instantsOf = (those: readonly Hold[]) => [...those.map(({ fromMs }) => fromMs), ...changes];
  const mostOf: MostOf = (provider, atMs) => {
    const its = capacities.filter(({ request }) => request.providerUid === provider.uid);
    return mostAt(provider, its, atMs);
  };
  return excesses(holds, { fleet, mostOf, instantsOf }).map((message) => ({
    rule: 'used-twice',
    message,
  }));
};

const surelyHad = (calls: readonly Call[]): readonly Hold[] => {
  const seen = new Map<string, { readonly atMs: number; readonly claim: ShownClaim }>();
  for (const { outcome, endedMs } of calls.toSorted((a, b) => a.endedMs - b.endedMs)) {
    if (outcome.kind !== 'granted' || outcome.claim?.isActive !== true) continue;
    const { claim } = outcome;
    if (!seen.has(claim.uid)) seen.set(claim.uid, { atMs: endedMs, claim });
  }
  const finishes = callsOf(calls, 'finish-release');
  return [...seen.values()].flatMap(({ atMs, claim }) =>
    [...byProvider(claim)].map(([providerUid, amounts]) => {
      const its = finishes.filter(
        ({ request }) => request.claimUid === claim.uid && request.providerUid === providerUid,
      );
      const toMs = Math.min(Infinity, ...its.map(({ beganMs }) => beganMs));
      return { claimUid: claim.uid, providerUid, amounts, fromMs: atMs, toMs };
    }),
  );
};

const byProvider = ({ allocations }: ShownClaim) => {
  const providers = new Map<string, Map<string, number>>();
  for (const { providerUid, resourceType, amount } of allocations) {
    const amounts = providers.get(providerUid) ?? new Map<string, number>();
    providers.set(providerUid, amounts);
    amounts.set(resourceType, (amounts.get(resourceType) ?? 0) + amount);
  }
  return providers;
};

type CapacityCall = ReturnType<typeof callsOf<'set-capacity'>>[number];

/** Of every generation that may have been in force at the instant. */
const mostAt = (provider: FleetProvider, its: readonly CapacityCall[], atMs: number) => {
  const surely = its.filter(
    ({ outcome, endedMs }) => outcome.kind === 'granted' && endedMs <= atMs,
  );
  const least = Math.max(0, ...surely.map(({ request }) => request.generation));
  const asked = its.filter(({ beganMs }) => beganMs <= atMs);
  const last = Math.max(least, ...asked.map(({ request }) => request.generation));
  return largest(
    [...provider.amounts].flatMap(([generation, amounts]) =>
      generation >= least && generation <= last ? [amounts] : [],
    ),
  );
};

/**
 * By the leader's clock in the store: when a claim was placed, it and everything that was placed
 * before fitted over its window, as far as that was still held then.
 */
export const overbooked = (evidence: Evidence): readonly Violation[] => {
  const { stored, fleet, calls } = evidence;
  const moves = callsOf(calls, 'move-end');
  const ends = new Map(stored.claims.map((claim) => [claim.uid, surelyUntil(moves, claim)]));
  const endOf = ({ uid, releaseMs }: StoredClaim) => ends.get(uid) ?? releaseMs;
  const trees = byTree(evidence);
  const mostOf: MostOf = ({ amounts }) => largest(amounts.values());
  return [...trees.values()].flatMap((claims) =>
    claims.flatMap(({ claim }) => {
      const { createMs, acquireMs: fromMs } = claim;
      const toMs = endOf(claim);
      const holds = claims
        .filter((one) => one.claim.createMs <= createMs)
        .flatMap((one) => heldAt(one, createMs, endOf(one.claim)))
        .filter((hold) => hold.fromMs < toMs && fromMs < hold.toMs);
      const instantsOf = (those: readonly Hold[]) =>
        those.map((hold) => Math.max(fromMs, hold.fromMs));
      return excesses(holds, { fleet, mostOf, instantsOf }).map((message): Violation => {
        return { rule: 'overbooked', message: `when claim ${claim.uid} was placed, ${message}` };
      });
    }),
  );
};

type Placed = { readonly claim: StoredClaim; readonly holds: StoredClaim['holds'] };

/** What the claims have in each tree of providers; without those whose place was changed. */
const byTree = ({ stored, fleet }: Evidence): ReadonlyMap<string, readonly Placed[]> => {
  const roots = new Map(fleet.map(({ uid, rootUid }) => [uid, rootUid ?? uid]));
  const trees = new Map<string, Placed[]>();
  for (const claim of stored.claims.filter(({ wasMoved }) => !wasMoved)) {
    const rootOf = (uid: string) => roots.get(uid) ?? uid;
    for (const root of new Set(claim.holds.map(({ providerUid }) => rootOf(providerUid)))) {
      const holds = claim.holds.filter(({ providerUid }) => rootOf(providerUid) === root);
      const those = trees.get(root) ?? [];
      trees.set(root, those);
      those.push({ claim, holds });
    }
  }
  return trees;
};

type MoveCall = ReturnType<typeof callsOf<'move-end'>>[number];

/** The earliest end that the claim can have had at any time. */
const surelyUntil = (moves: readonly MoveCall[], claim: StoredClaim): number =>
  Math.min(
    claim.releaseMs,
    ...moves
      .filter(({ request }) => request.claimUid === claim.uid)
      .flatMap(({ request }) => [request.releaseMs, request.fromReleaseMs]),
  );

/** What the claim had at that time, and for how long as was known then. */
const heldAt = ({ claim, holds }: Placed, atMs: number, releaseMs: number): readonly Hold[] => {
  const beginMs = Math.min(claim.releaseBeginMs ?? Infinity, releaseMs);
  // In the same millisecond either may have come first; the smaller hold is certain.
  const toMs = beginMs < atMs ? Infinity : releaseMs;
  return holds
    .filter(({ finishMs }) => finishMs === undefined || finishMs > atMs)
    .map(({ providerUid, amounts }) => {
      return { claimUid: claim.uid, providerUid, amounts, fromMs: claim.acquireMs, toMs };
    });
};
