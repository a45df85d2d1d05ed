/**
 * What the leader of a partition knows: everything committed, and what it decided in the commit
 * that is on its way. What takes capacity counts from the decision, what gives it back from the
 * commit.
 */

import { type Answered, createAnswers } from './answers.ts';
import type { CapacityRecord, ProviderFacts } from './capacity.ts';
import { type ClaimRecord, isEnded } from './claim.ts';
import { type ClaimBook, createClaimBook } from './claim-book.ts';
import type { Decision } from './command.ts';
import { createDueQueue } from './due-queue.ts';
import { holdsOf } from './hold.ts';
import { createProviderIndex, type ProviderIndex } from './provider-index.ts';

export type PartitionState = {
  readonly partition: string;
  readonly claims: ClaimBook;
  readonly providers: ProviderIndex;
  readonly capacity: (providerUid: string) => CapacityRecord | undefined;
  /** What a request id did; undefined = nothing that is remembered. */
  readonly answered: (requestId: string) => Answered | undefined;
  readonly setFacts: (uid: string, facts: ProviderFacts | undefined) => void;
  /** Takes what the decision takes. Call `settle` once it is committed. */
  readonly take: (decision: Decision, nowMs: number) => void;
  /** Gives back what the decision gives back. */
  readonly settle: (decision: Decision, nowMs: number) => void;
  /**
   * Claims whose window is over and whose release is not written yet. From now on their resources
   * count until they are given back.
   */
  readonly overdue: (nowMs: number) => readonly ClaimRecord[];
  /** When the next window ends; undefined = none does. */
  readonly nextDueMs: () => number | undefined;
};

export type Known = {
  readonly partition: string;
  readonly claims: Iterable<ClaimRecord>;
  readonly capacities: Iterable<CapacityRecord>;
  readonly facts: Iterable<ProviderFacts>;
  readonly nowMs: number;
};

export const createPartitionState = (known: Known): PartitionState => {
  const claims = createClaimBook();
  const providers = createProviderIndex();
  const capacities = new Map<string, CapacityRecord>();
  const requests = createAnswers();
  const due = createDueQueue();
  const late = new Set<string>();

  const syncHolds = (claim: ClaimRecord, nowMs: number): void => {
    const holds = holdsOf(claim, nowMs);
    for (const { uid } of claim.providers) providers.setHold(uid, claim.uid, holds.get(uid));
  };
  const remember = (claim: ClaimRecord): void => {
    const before = claims.get(claim.uid);
    requests.replace({ kind: 'claim', uid: claim.uid }, before?.requests, claim.requests);
    claims.put(claim);
    const { releaseMs } = claim.spec;
    if (claim.releaseBeginMs !== undefined) late.delete(claim.uid);
    else if (releaseMs !== undefined && before?.spec.releaseMs !== releaseMs) {
      due.add(claim.uid, releaseMs);
    }
  };
  const rememberCapacity = (record: CapacityRecord): void => {
    capacities.set(record.providerUid, record);
  };

  for (const facts of known.facts) providers.setFacts(facts.uid, facts);
  for (const record of known.capacities) {
    rememberCapacity(record);
    providers.setCapacity(record.providerUid, record);
  }
  for (const claim of known.claims) {
    remember(claim);
    if (!isEnded(claim)) syncHolds(claim, known.nowMs);
  }

  return {
    partition: known.partition,
    claims,
    providers,
    capacity: (uid) => capacities.get(uid),
    answered: requests.find,
    setFacts: providers.setFacts,
    take: (decision, nowMs) => {
      if (decision.kind === 'capacity') {
        requests.noteCapacity(decision.capacity.providerUid, decision.note);
        if (decision.entry === undefined) return;
        rememberCapacity(decision.capacity);
        providers.shut(decision.capacity.providerUid);
      } else if (decision.kind === 'claim' && decision.entry !== undefined) {
        const { claim } = decision;
        remember(claim);
        // Giving back waits for the commit; everything else may only take more.
        if (claim.providers.every(({ finishMs }) => finishMs === undefined)) {
          syncHolds(claim, nowMs);
        }
      }
    },
    settle: (decision, nowMs) => {
      if (decision.kind === 'capacity') {
        const record = capacities.get(decision.capacity.providerUid);
        providers.setCapacity(decision.capacity.providerUid, record);
      } else if (decision.kind === 'claim') {
        const newest = claims.get(decision.claim.uid);
        if (newest !== undefined) syncHolds(newest, nowMs);
      } else if (decision.kind === 'forgotten') {
        const { uid, requests: notes } = decision.claim;
        requests.replace({ kind: 'claim', uid }, notes, []);
        claims.remove(uid);
      }
    },
    overdue: (nowMs) => {
      for (const uid of due.take(nowMs)) {
        const claim = claims.get(uid);
        if (claim === undefined || claim.releaseBeginMs !== undefined) continue;
        late.add(uid);
        syncHolds(claim, nowMs);
      }
      return [...late].flatMap((uid) => claims.get(uid) ?? []);
    },
    nextDueMs: due.nextMs,
  };
};
