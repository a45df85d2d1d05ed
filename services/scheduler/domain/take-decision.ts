/**
 * What a decision changes in what the leader knows: at once what takes capacity, with its commit
 * what gives it back.
 */
import { type CapacityRecord, isClosed } from './capacity.ts';
import type { ClaimRecord } from './claim.ts';
import type { Decision } from './command.ts';
import {
  capacityIn,
  growHolds,
  lookAtPending,
  lookAtRisky,
  note,
  planLook,
  type StateParts,
  syncHolds,
  takeQuota,
} from './state-parts.ts';

export const take = (parts: StateParts, decision: Decision, nowMs: number): void => {
  parts.quotas.setNow(nowMs);
  switch (decision.kind) {
    case 'capacity':
      parts.answers.noteCapacity(decision.capacity.providerUid, decision.note);
      if (decision.entry !== undefined) takeCapacity(parts, decision.capacity);
      return;
    case 'claim':
      if (decision.entry !== undefined) takeClaim(parts, decision.claim, nowMs);
      return;
    case 'reshape':
      for (const capacity of decision.capacities) takeCapacity(parts, capacity);
      for (const { claim } of decision.claims) takeClaim(parts, claim, nowMs);
      return;
    case 'quota':
      if (decision.entry !== undefined) takeQuota(parts, decision.quota);
      return;
    case 'shown':
    case 'forgotten':
  }
};

const takeCapacity = ({ deciding, providers }: StateParts, capacity: CapacityRecord): void => {
  deciding.set(capacity.providerUid, capacity);
  providers.shut(capacity.providerUid);
};

const takeClaim = (parts: StateParts, claim: ClaimRecord, nowMs: number): void => {
  const before = parts.claims.get(claim.uid);
  note(parts, claim);
  planLook(parts, claim, nowMs);
  if (before === undefined) syncHolds(parts, claim, nowMs);
  else growHolds(parts, claim, nowMs);
  const isShorter = before !== undefined && endOf(claim) < endOf(before);
  if (claim.releaseBeginMs === undefined && !isShorter) parts.quotas.count(claim.uid, claim);
};

const endOf = ({ spec }: ClaimRecord): number => spec.releaseMs ?? Infinity;

export const settle = (parts: StateParts, decision: Decision, nowMs: number): void => {
  switch (decision.kind) {
    case 'capacity':
      settleCapacity(parts, decision.capacity.providerUid);
      return;
    case 'claim':
      settleClaim(parts, { left: [], ...decision }, nowMs);
      return;
    case 'reshape':
      for (const { providerUid } of decision.capacities) settleCapacity(parts, providerUid);
      for (const moved of decision.claims) settleClaim(parts, moved, nowMs);
      return;
    case 'forgotten': {
      const { uid, requests } = decision.claim;
      // Asked for again meanwhile: its request ids may be another claim's by now.
      if (parts.claims.get(uid) === undefined) return;
      parts.answers.replace({ kind: 'claim', uid }, requests, []);
      parts.claims.remove(uid);
      return;
    }
    case 'shown':
    case 'quota':
  }
};

const settleCapacity = (parts: StateParts, uid: string): void => {
  const { providers, deciding } = parts;
  const record = capacityIn(parts, uid);
  deciding.delete(uid);
  providers.setCapacity(uid, record);
  if (isClosed(providers.factsOf(uid), record)) lookAtPending(parts, uid);
  else lookAtRisky(parts, uid);
};

type Left = { readonly claim: ClaimRecord; readonly left: readonly string[] };

const settleClaim = (parts: StateParts, { claim: { uid }, left }: Left, nowMs: number): void => {
  for (const providerUid of left) parts.providers.setHold(providerUid, uid, undefined);
  const newest = parts.claims.get(uid);
  if (newest === undefined) return;
  syncHolds(parts, newest, nowMs);
  parts.quotas.count(uid, newest);
  if (newest.releaseBeginMs === undefined) return;
  // What was given back may be what another waits for.
  for (const provider of newest.providers) {
    if (provider.finishMs !== undefined) lookAtRisky(parts, provider.uid);
  }
};
