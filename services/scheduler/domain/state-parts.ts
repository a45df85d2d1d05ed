/** What the state of a partition is made of, and what following and deciding do alike. */
import type { Agenda } from './agenda.ts';
import type { Answers } from './answers.ts';
import type { CapacityRecord } from './capacity.ts';
import { type ChoreTimes, nextLookMs } from './chores.ts';
import type { ClaimRecord } from './claim.ts';
import type { ClaimBook } from './claim-book.ts';
import { holdsOf, spanning } from './hold.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { QuotaRecord } from './quota.ts';
import type { QuotaBook } from './quota-book.ts';

export type StateParts = {
  readonly times: ChoreTimes;
  readonly claims: ClaimBook;
  readonly providers: ProviderIndex;
  /** Decided and not committed yet; what is committed lies with the provider. */
  readonly deciding: Map<string, CapacityRecord>;
  readonly quotas: QuotaBook;
  readonly answers: Answers;
  readonly agenda: Agenda;
  /** Claims whose window is over and whose release is not written. */
  readonly late: Set<string>;
  /** Claims that are to be looked at now. */
  readonly looks: Set<string>;
  /** The newest time that was told; undefined = somebody else leads, and looks after claims. */
  readonly clock: { nowMs: number | undefined };
};

export const capacityIn = (
  { deciding, providers }: StateParts,
  uid: string,
): CapacityRecord | undefined => deciding.get(uid) ?? providers.capacityOf(uid);

/** What is booked of the claim is what it holds. */
export const syncHolds = ({ providers }: StateParts, claim: ClaimRecord, nowMs: number): void => {
  const holds = holdsOf(claim, nowMs);
  for (const { uid } of claim.providers) providers.setHold(uid, claim.uid, holds.get(uid));
};

/**
 * Whatever was decided to be given back, what the claim holds more than before it holds from now
 * on; what it holds less stays booked until the commit.
 */
export const growHolds = ({ providers }: StateParts, claim: ClaimRecord, nowMs: number): void => {
  for (const [uid, hold] of holdsOf(claim, nowMs)) {
    const booked = [...providers.holdsOn(uid)].find(({ claimUid }) => claimUid === claim.uid);
    providers.setHold(uid, claim.uid, booked === undefined ? hold : spanning(booked, hold));
  }
};

export const note = ({ agenda, claims, answers, late }: StateParts, claim: ClaimRecord): void => {
  const before = claims.get(claim.uid);
  answers.replace({ kind: 'claim', uid: claim.uid }, before?.requests, claim.requests);
  claims.put(claim);
  if (claim.releaseBeginMs !== undefined) {
    late.delete(claim.uid);
    agenda.remove(claim.uid);
  }
};

/** Puts the next look at the claim on the agenda. */
export const planLook = (
  { agenda, times }: StateParts,
  claim: ClaimRecord,
  nowMs: number,
): void => {
  if (claim.releaseBeginMs !== undefined) return;
  const nextMs = nextLookMs(claim, times, nowMs);
  if (nextMs !== undefined) agenda.add(claim.uid, nextMs);
};

export const takeQuota = ({ quotas, answers }: StateParts, quota: QuotaRecord): void => {
  const object = { kind: 'quota', uid: quota.project.toLowerCase() } as const;
  answers.replace(object, quotas.find(quota.project)?.requests, quota.requests);
  quotas.put(quota);
};

/** Claims that are still to begin there; those that wait already are looked at in their time. */
export const lookAtPending = (
  { claims, looks, clock: { nowMs } }: StateParts,
  providerUid: string,
): void => {
  if (nowMs === undefined) return;
  for (const claim of claims.livingOf(providerUid)) {
    if (claim.risk !== undefined || claim.spec.acquireMs > nowMs) looks.add(claim.uid);
  }
};

/** What becomes free of one may be what a claim elsewhere in its tree waits for. */
export const lookAtRisky = (parts: StateParts, providerUid: string): void => {
  for (const claim of claimsInTree(parts, providerUid)) {
    if (claim.risk !== undefined) parts.looks.add(claim.uid);
  }
};

/** Claims that have not ended, on the provider, above it and below it. */
export function* claimsInTree(
  { claims, providers }: StateParts,
  providerUid: string,
): Generator<ClaimRecord> {
  yield* claims.livingOf(providerUid);
  for (const uid of providers.above(providerUid)) yield* claims.livingOf(uid);
  for (const uid of providers.below(providerUid)) yield* claims.livingOf(uid);
}
