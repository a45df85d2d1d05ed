/**
 * What the leader of a partition knows: everything committed, and what it decided in the commit
 * that is on its way. What takes capacity counts from the decision, what gives it back from the
 * commit.
 */
import { createAgenda } from './agenda.ts';
import { type Answered, createAnswers } from './answers.ts';
import { type CapacityRecord, type Offers, offersInForce, type ProviderFacts } from './capacity.ts';
import { CHORE_TIMES, type ChoreTimes } from './chores.ts';
import { type ClaimRecord, isEnded, isReleasing } from './claim.ts';
import { type ClaimBook, createClaimBook } from './claim-book.ts';
import type { Surroundings } from './claim-state.ts';
import type { Decision } from './command.ts';
import type { FollowedChange } from './follow-change.ts';
import { createProviderIndex, type ProviderIndex } from './provider-index.ts';
import type { QuotaRecord } from './quota.ts';
import { createQuotaBook, type QuotaBook } from './quota-book.ts';
import {
  capacityIn,
  claimsInTree,
  growHolds,
  lookAtPending,
  note,
  planLook,
  type StateParts,
  syncHolds,
  takeQuota,
} from './state-parts.ts';
import { settle, take } from './take-decision.ts';
import { UidNumbers } from './uid-map.ts';

export type PartitionState = {
  readonly partition: string;
  readonly claims: ClaimBook;
  readonly providers: ProviderIndex;
  readonly quotas: QuotaBook;
  readonly times: ChoreTimes;
  readonly capacity: (providerUid: string) => CapacityRecord | undefined;
  readonly offersOf: (providerUid: string) => Offers;
  /** What the states of claims follow from. */
  readonly around: Surroundings;
  /** What a whole machine of that provider needs between two claims. */
  readonly turnaroundMs: (providerUid: string) => number;
  /** What a request id did; undefined = nothing that is remembered. */
  readonly answered: (requestId: string) => Answered | undefined;
  readonly setFacts: (uid: string, facts: ProviderFacts | undefined) => void;
  /**
   * Takes over what somebody else committed; for a replica that may lead one day. `committedMs` is
   * the leader's time of the newest commit: this replica's own clock may be ahead of the leader it
   * becomes.
   */
  readonly follow: (change: FollowedChange, committedMs: number) => void;
  /** From now on this replica leads: what its predecessor would have seen happen it sees now. */
  readonly awaken: (nowMs: number) => void;
  /** Takes what the decision takes. Call `settle` once it is committed. */
  readonly take: (decision: Decision, nowMs: number) => void;
  /** Gives back what the decision gives back. */
  readonly settle: (decision: Decision, nowMs: number) => void;
  /**
   * Claims whose window is over and whose release is not written yet, so many of them. From now on
   * the resources of all count until they are given back.
   */
  readonly overdue: (nowMs: number, most: number) => readonly ClaimRecord[];
  /** The release of an overdue claim cannot be written: others come first for a while. */
  readonly setAside: (uid: string, nowMs: number) => void;
  /**
   * Takes some of the claims that are to be looked at; whoever takes one says when to look again.
   */
  readonly takeLooks: (most: number) => readonly ClaimRecord[];
  readonly lookAgain: (uid: string, atMs: number) => void;
  /** When something is due next; undefined = never. */
  readonly nextDueMs: () => number | undefined;
};

export type Known = {
  readonly partition: string;
  readonly claims: Iterable<ClaimRecord>;
  readonly capacities: Iterable<CapacityRecord>;
  readonly quotas?: Iterable<QuotaRecord>;
  readonly facts: Iterable<ProviderFacts>;
  /** undefined = somebody else leads, until `awaken`. */
  readonly nowMs: number | undefined;
  readonly times?: ChoreTimes;
  /** Of providers; absent = nobody else knows anything of them. */
  readonly numbers?: UidNumbers;
};

export const createPartitionState = (known: Known): PartitionState => {
  const numbers = known.numbers ?? new UidNumbers();
  const claims = createClaimBook(numbers);
  const parts: StateParts = {
    times: known.times ?? CHORE_TIMES,
    claims,
    providers: createProviderIndex((uid) => heldProviders(claims, uid), numbers),
    deciding: new Map(),
    quotas: createQuotaBook(),
    answers: createAnswers(),
    agenda: createAgenda(),
    late: new Set(),
    looks: new Set(),
    clock: { nowMs: known.nowMs },
  };
  learn(parts, known);
  const { providers, quotas, answers, agenda, looks } = parts;
  const capacity = (uid: string) => capacityIn(parts, uid);
  const offersOf = (uid: string) => offersInForce(providers.factsOf(uid), capacity(uid));
  return {
    partition: known.partition,
    claims,
    providers,
    quotas,
    times: parts.times,
    capacity,
    offersOf,
    around: {
      claimsOn: claims.livingOf,
      endingOn: claims.endingOf,
      offersOf,
      above: providers.above,
      below: providers.below,
    },
    turnaroundMs: (uid) => {
      const type = providers.factsOf(uid)?.type ?? '';
      return providers.topology().turnaroundMs.get(type) ?? 0;
    },
    answered: answers.find,
    setFacts: (uid, facts) => {
      providers.setFacts(uid, facts);
      if (facts === undefined) lookAtPending(parts, uid);
    },
    follow: (change, committedMs) => follow(parts, change, committedMs),
    awaken: (nowMs) => awaken(parts, nowMs),
    take: (decision, nowMs) => take(parts, decision, nowMs),
    settle: (decision, nowMs) => {
      quotas.setNow(nowMs);
      settle(parts, decision, nowMs);
    },
    overdue: (nowMs, most) => overdue(parts, nowMs, most),
    setAside: (uid, nowMs) => {
      if (parts.late.delete(uid)) agenda.add(uid, nowMs + parts.times.againMs);
    },
    takeLooks: (most) => takeLooks(parts, most),
    lookAgain: agenda.add,
    nextDueMs: () => (looks.size > 0 ? 0 : agenda.nextMs()),
  };
};

/** Providers that the claim of that uid holds, or the claims of that consumer. */
const heldProviders = (claims: ClaimBook, uid: string): readonly string[] => {
  const claim = claims.get(uid);
  const held = claim === undefined ? [...claims.ofConsumer(uid)] : [claim];
  return held.flatMap(({ providers }) =>
    providers.filter(({ finishMs }) => finishMs === undefined).map((provider) => provider.uid),
  );
};

const learn = (parts: StateParts, known: Known): void => {
  const nowMs = known.nowMs ?? 0;
  for (const facts of known.facts) parts.providers.setFacts(facts.uid, facts);
  for (const record of known.capacities) follow(parts, { kind: 'capacity', record }, nowMs);
  for (const quota of known.quotas ?? []) follow(parts, { kind: 'quota', quota }, nowMs);
  for (const claim of known.claims) follow(parts, { kind: 'claim', claim }, nowMs);
  if (known.nowMs !== undefined) awaken(parts, known.nowMs);
};

const follow = (parts: StateParts, change: FollowedChange, committedMs: number): void => {
  // What has passed is kept as one number, also at a standby that waits for months. It cannot be
  // told apart again: nothing is folded that a leader may still ask about.
  parts.quotas.setNow(committedMs);
  const { providers } = parts;
  switch (change.kind) {
    case 'capacity': {
      const { record } = change;
      providers.setCapacity(record.providerUid, record);
      return;
    }
    case 'capacity-gone':
      providers.setCapacity(change.uid, undefined);
      return;
    case 'quota':
      takeQuota(parts, change.quota);
      return;
    case 'claim':
      followClaim(parts, change.claim, committedMs);
      return;
    case 'claim-gone': {
      const before = parts.claims.get(change.uid);
      if (before !== undefined) forget(parts, before);
    }
  }
};

const followClaim = (parts: StateParts, claim: ClaimRecord, nowMs: number): void => {
  const before = parts.claims.get(claim.uid);
  for (const { uid } of before?.providers ?? []) {
    const isLeft = !claim.providers.some((provider) => provider.uid === uid);
    if (isLeft) parts.providers.setHold(uid, claim.uid, undefined);
  }
  note(parts, claim);
  parts.quotas.count(claim.uid, claim);
  if (before !== undefined || !isEnded(claim)) syncHolds(parts, claim, nowMs);
};

const forget = (parts: StateParts, { uid, requests, providers }: ClaimRecord): void => {
  parts.answers.replace({ kind: 'claim', uid }, requests, []);
  for (const provider of providers) parts.providers.setHold(provider.uid, uid, undefined);
  parts.quotas.count(uid, undefined);
  parts.claims.remove(uid);
};

const awaken = (parts: StateParts, nowMs: number): void => {
  parts.clock.nowMs = nowMs;
  parts.quotas.setNow(nowMs);
  const releasing: ClaimRecord[] = [];
  for (const claim of parts.claims.all()) {
    planLook(parts, claim, nowMs);
    if (isEnded(claim)) continue;
    syncHolds(parts, claim, nowMs);
    if (isReleasing(claim, nowMs)) releasing.push(claim);
    else if (isToBeLookedAt(parts, claim, nowMs)) parts.looks.add(claim.uid);
  }
  // Only claims beside these can be kept waiting.
  for (const { providers: held } of releasing) {
    for (const { uid } of held)
      for (const one of claimsInTree(parts, uid)) parts.looks.add(one.uid);
  }
};

/** At a new leader: what its predecessor would have seen happen. */
const isToBeLookedAt = ({ times }: StateParts, claim: ClaimRecord, nowMs: number): boolean => {
  if (claim.risk !== undefined) return true;
  const { acquireMs } = claim.spec;
  return nowMs < acquireMs && acquireMs - times.replaceBeforeMs <= nowMs;
};

const overdue = (parts: StateParts, nowMs: number, most: number): readonly ClaimRecord[] => {
  const { agenda, claims, late, looks, clock } = parts;
  clock.nowMs = nowMs;
  for (const uid of agenda.take(nowMs)) {
    const claim = claims.get(uid);
    if (claim === undefined || claim.releaseBeginMs !== undefined) continue;
    if (isReleasing(claim, nowMs)) {
      late.add(uid);
      growHolds(parts, claim, nowMs);
      continue;
    }
    looks.add(uid);
    // Its end is seen also while it waits for that look.
    agenda.add(uid, claim.spec.releaseMs ?? Infinity);
  }
  const found: ClaimRecord[] = [];
  for (const uid of late) {
    if (found.length >= most) break;
    const claim = claims.get(uid);
    if (claim === undefined) late.delete(uid);
    else found.push(claim);
  }
  return found;
};

const takeLooks = ({ looks, claims }: StateParts, most: number): readonly ClaimRecord[] => {
  const taken: ClaimRecord[] = [];
  for (const uid of looks) {
    if (taken.length >= most) break;
    looks.delete(uid);
    const claim = claims.get(uid);
    if (claim !== undefined && claim.releaseBeginMs === undefined) taken.push(claim);
  }
  return taken;
};
