/**
 * What the leader of a partition knows: everything committed, and what it decided in the commit
 * that is on its way. What takes capacity counts from the decision, what gives it back from the
 * commit.
 */
import { type Agenda, createAgenda } from './agenda.ts';
import { type Answered, type Answers, createAnswers } from './answers.ts';
import {
  type CapacityRecord,
  isClosed,
  type Offers,
  offersInForce,
  type ProviderFacts,
} from './capacity.ts';
import { CHORE_TIMES, type ChoreTimes, nextLookMs } from './chores.ts';
import { type ClaimRecord, isEnded, isReleasing } from './claim.ts';
import { type ClaimBook, createClaimBook } from './claim-book.ts';
import type { Decision } from './command.ts';
import type { FollowedChange } from './follow-change.ts';
import { holdsOf } from './hold.ts';
import { createProviderIndex, type ProviderIndex } from './provider-index.ts';
import type { QuotaRecord } from './quota.ts';
import { createQuotaBook, type QuotaBook } from './quota-book.ts';

export type PartitionState = {
  readonly partition: string;
  readonly claims: ClaimBook;
  readonly providers: ProviderIndex;
  readonly quotas: QuotaBook;
  readonly times: ChoreTimes;
  readonly capacity: (providerUid: string) => CapacityRecord | undefined;
  readonly offersOf: (providerUid: string) => Offers;
  /** What a whole machine of that provider needs between two claims. */
  readonly turnaroundMs: (providerUid: string) => number;
  /** What a request id did; undefined = nothing that is remembered. */
  readonly answered: (requestId: string) => Answered | undefined;
  readonly setFacts: (uid: string, facts: ProviderFacts | undefined) => void;
  /** Takes over what somebody else committed; for a replica that may lead one day. */
  readonly follow: (change: FollowedChange, nowMs: number) => void;
  /** From now on this replica leads: what its predecessor would have seen happen it sees now. */
  readonly awaken: (nowMs: number) => void;
  /** Takes what the decision takes. Call `settle` once it is committed. */
  readonly take: (decision: Decision, nowMs: number) => void;
  /** Gives back what the decision gives back. */
  readonly settle: (decision: Decision, nowMs: number) => void;
  /**
   * Claims whose window is over and whose release is not written yet. From now on their resources
   * count until they are given back.
   */
  readonly overdue: (nowMs: number) => readonly ClaimRecord[];
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
  readonly nowMs: number;
  readonly times?: ChoreTimes;
};

/** What the functions below work on. */
type Parts = {
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
  /** The newest time that was told. */
  readonly clock: { nowMs: number };
};

export const createPartitionState = (known: Known): PartitionState => {
  const claims = createClaimBook();
  const parts: Parts = {
    times: known.times ?? CHORE_TIMES,
    claims,
    providers: createProviderIndex((uid) => heldProviders(claims, uid)),
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
  const capacity = (uid: string) => capacityOf(parts, uid);
  return {
    partition: known.partition,
    claims,
    providers,
    quotas,
    times: parts.times,
    capacity,
    offersOf: (uid) => offersInForce(providers.factsOf(uid), capacity(uid)),
    turnaroundMs: (uid) => {
      const type = providers.factsOf(uid)?.type ?? '';
      return providers.topology().turnaroundMs.get(type) ?? 0;
    },
    answered: answers.find,
    setFacts: (uid, facts) => {
      providers.setFacts(uid, facts);
      if (facts === undefined) lookAtPending(parts, uid);
    },
    follow: (change, nowMs) => follow(parts, change, nowMs),
    awaken: (nowMs) => awaken(parts, nowMs),
    take: (decision, nowMs) => take(parts, decision, nowMs),
    settle: (decision, nowMs) => {
      quotas.setNow(nowMs);
      settle(parts, decision, nowMs);
    },
    overdue: (nowMs) => overdue(parts, nowMs),
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

const learn = (parts: Parts, known: Known): void => {
  const { nowMs } = known;
  for (const facts of known.facts) parts.providers.setFacts(facts.uid, facts);
  for (const record of known.capacities) follow(parts, { kind: 'capacity', record }, nowMs);
  for (const quota of known.quotas ?? []) follow(parts, { kind: 'quota', quota }, nowMs);
  for (const claim of known.claims) follow(parts, { kind: 'claim', claim }, nowMs);
  awaken(parts, nowMs);
};

const follow = (parts: Parts, change: FollowedChange, nowMs: number): void => {
  // What has passed is kept as one number, also at a standby that waits for months.
  parts.quotas.setNow(nowMs);
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
      followClaim(parts, change.claim, nowMs);
      return;
    case 'claim-gone': {
      const before = parts.claims.get(change.uid);
      if (before !== undefined) forget(parts, before);
    }
  }
};

const followClaim = (parts: Parts, claim: ClaimRecord, nowMs: number): void => {
  const before = parts.claims.get(claim.uid);
  for (const { uid } of before?.providers ?? []) {
    const isLeft = !claim.providers.some((provider) => provider.uid === uid);
    if (isLeft) parts.providers.setHold(uid, claim.uid, undefined);
  }
  note(parts, claim);
  parts.quotas.count(claim.uid, claim);
  if (before !== undefined || !isEnded(claim)) syncHolds(parts, claim, nowMs);
};

const forget = (parts: Parts, { uid, requests, providers }: ClaimRecord): void => {
  parts.answers.replace({ kind: 'claim', uid }, requests, []);
  for (const provider of providers) parts.providers.setHold(provider.uid, uid, undefined);
  parts.quotas.count(uid, undefined);
  parts.claims.remove(uid);
};

const awaken = (parts: Parts, nowMs: number): void => {
  parts.quotas.setNow(nowMs);
  const releasing: ClaimRecord[] = [];
  for (const claim of parts.claims.all()) {
    plan(parts, claim, nowMs);
    if (isEnded(claim)) continue;
    syncHolds(parts, claim, nowMs);
    if (isReleasing(claim, nowMs)) releasing.push(claim);
    else if (isToBeLookedAt(parts, claim, nowMs)) parts.looks.add(claim.uid);
  }
  // Only claims beside these can be kept waiting.
  for (const { providers: held } of releasing) {
    for (const { uid } of held)
      for (const one of parts.claims.livingOf(uid)) parts.looks.add(one.uid);
  }
};

/** At a new leader: what its predecessor would have seen happen. */
const isToBeLookedAt = ({ times }: Parts, claim: ClaimRecord, nowMs: number): boolean => {
  if (claim.risk !== undefined) return true;
  const { acquireMs } = claim.spec;
  return nowMs < acquireMs && acquireMs - times.replaceBeforeMs <= nowMs;
};

const quotaObject = ({ project }: QuotaRecord) =>
  ({ kind: 'quota', uid: project.toLowerCase() }) as const;

const syncHolds = ({ providers }: Parts, claim: ClaimRecord, nowMs: number): void => {
  const holds = holdsOf(claim, nowMs);
  for (const { uid } of claim.providers) providers.setHold(uid, claim.uid, holds.get(uid));
};

const remember = (parts: Parts, claim: ClaimRecord, nowMs: number): void => {
  note(parts, claim);
  plan(parts, claim, nowMs);
};

const note = ({ agenda, claims, answers, late }: Parts, claim: ClaimRecord): void => {
  const before = claims.get(claim.uid);
  answers.replace({ kind: 'claim', uid: claim.uid }, before?.requests, claim.requests);
  claims.put(claim);
  if (claim.releaseBeginMs !== undefined) {
    late.delete(claim.uid);
    agenda.remove(claim.uid);
  }
};

const plan = ({ agenda, times }: Parts, claim: ClaimRecord, nowMs: number): void => {
  if (claim.releaseBeginMs !== undefined) return;
  const nextMs = nextLookMs(claim, times, nowMs);
  if (nextMs !== undefined) agenda.add(claim.uid, nextMs);
};

const take = (parts: Parts, decision: Decision, nowMs: number): void => {
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

const capacityOf = ({ deciding, providers }: Parts, uid: string): CapacityRecord | undefined =>
  deciding.get(uid) ?? providers.find(uid)?.capacity;

const takeCapacity = ({ deciding, providers }: Parts, capacity: CapacityRecord): void => {
  deciding.set(capacity.providerUid, capacity);
  providers.shut(capacity.providerUid);
};

/** Giving back waits for the commit; everything else may only take more. */
const takeClaim = (parts: Parts, claim: ClaimRecord, nowMs: number): void => {
  const before = parts.claims.get(claim.uid);
  remember(parts, claim, nowMs);
  if (before !== undefined && isGivingBack(before, claim)) return;
  syncHolds(parts, claim, nowMs);
  if (claim.releaseBeginMs === undefined) parts.quotas.count(claim.uid, claim);
};

const isGivingBack = (before: ClaimRecord, claim: ClaimRecord): boolean =>
  claim.providers.some(({ finishMs }) => finishMs !== undefined) ||
  (claim.spec.releaseMs ?? Infinity) < (before.spec.releaseMs ?? Infinity);

const takeQuota = ({ quotas, answers }: Parts, quota: QuotaRecord): void => {
  answers.replace(quotaObject(quota), quotas.find(quota.project)?.requests, quota.requests);
  quotas.put(quota);
};

const settle = (parts: Parts, decision: Decision, nowMs: number): void => {
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
      parts.answers.replace({ kind: 'claim', uid }, requests, []);
      parts.claims.remove(uid);
      return;
    }
    case 'shown':
    case 'quota':
  }
};

const settleCapacity = (parts: Parts, uid: string): void => {
  const { providers, deciding } = parts;
  const record = capacityOf(parts, uid);
  deciding.delete(uid);
  providers.setCapacity(uid, record);
  if (isClosed(providers.factsOf(uid), record)) lookAtPending(parts, uid);
  else lookAtRisky(parts, uid);
};

type Left = { readonly claim: ClaimRecord; readonly left: readonly string[] };

const settleClaim = (parts: Parts, { claim: { uid }, left }: Left, nowMs: number): void => {
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

/** Claims that are still to begin there; those that wait already are looked at in their time. */
const lookAtPending = ({ claims, looks, clock }: Parts, providerUid: string): void => {
  for (const claim of claims.livingOf(providerUid)) {
    if (claim.risk !== undefined || claim.spec.acquireMs > clock.nowMs) looks.add(claim.uid);
  }
};

const lookAtRisky = ({ claims, looks }: Parts, providerUid: string): void => {
  for (const claim of claims.livingOf(providerUid)) {
    if (claim.risk !== undefined) looks.add(claim.uid);
  }
};

const overdue = (parts: Parts, nowMs: number): readonly ClaimRecord[] => {
  const { agenda, claims, late, looks, clock } = parts;
  clock.nowMs = nowMs;
  for (const uid of agenda.take(nowMs)) {
    const claim = claims.get(uid);
    if (claim === undefined || claim.releaseBeginMs !== undefined) continue;
    if (isReleasing(claim, nowMs)) {
      late.add(uid);
      syncHolds(parts, claim, nowMs);
    } else looks.add(uid);
  }
  return [...late].flatMap((uid) => claims.get(uid) ?? []);
};

const takeLooks = ({ looks, claims }: Parts, most: number): readonly ClaimRecord[] => {
  const taken: ClaimRecord[] = [];
  for (const uid of looks) {
    if (taken.length >= most) break;
    looks.delete(uid);
    const claim = claims.get(uid);
    if (claim !== undefined && claim.releaseBeginMs === undefined) taken.push(claim);
  }
  return taken;
};
