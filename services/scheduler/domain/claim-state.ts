/**
 * Where a claim stands follows from its record, what else is on its providers, and the time.
 * Nothing of it is stored but a risk: a claim becomes active, waits and is over without a write.
 */
import type { Offers } from './capacity.ts';
import { type ClaimRecord, isEnded, isReleasing } from './claim.ts';
import { type Hold, holdsOf, isWhole } from './hold.ts';

export type ClaimState = 'pending' | 'active' | 'waiting' | 'at-risk' | 'releasing' | 'released';

export type Surroundings = {
  /** Claims on the provider that have not ended, this one included or not. */
  readonly claimsOn: (providerUid: string) => Iterable<ClaimRecord>;
  /** Of these at least those with an end and those whose release has begun. */
  readonly endingOn: (providerUid: string) => Iterable<ClaimRecord>;
  readonly offersOf: (providerUid: string) => Offers;
  /** Uids of the providers of which it is a part, nearest first. */
  readonly above: (providerUid: string) => Iterable<string>;
  /** Uids of its parts and theirs. */
  readonly below: (providerUid: string) => Iterable<string>;
};

export const claimState = (claim: ClaimRecord, around: Surroundings, nowMs: number): ClaimState => {
  if (isReleasing(claim, nowMs)) return isEnded(claim) ? 'released' : 'releasing';
  // Whether time cures it the leader has judged and written.
  if (claim.risk !== undefined) return 'at-risk';
  if (nowMs < claim.spec.acquireMs) return 'pending';
  for (const [providerUid, hold] of holdsOf(claim, nowMs)) {
    if (mustWait(claim, hold, { around, providerUid, nowMs })) return 'waiting';
  }
  return 'active';
};

type There = {
  readonly around: Surroundings;
  readonly providerUid: string;
  readonly nowMs: number;
};

/**
 * True when the claim's resources on the provider are still held by one that should have given them
 * back, there or in its tree. Who came first is served first and nobody overtakes, so that a claim
 * that became active stays so.
 */
const mustWait = (claim: ClaimRecord, hold: Hold, there: There): boolean => {
  const { around, providerUid, nowMs } = there;
  if (isBarred(claim, hold, there)) return true;
  // Without one that is late, what was decided fits.
  if (!lateBefore(claim, providerUid, there).some((one) => isHolding(one, providerUid))) {
    return false;
  }
  const others = earlierOn(providerUid, claim, around);
  const before = others.flatMap((other) => holdsOf(other, nowMs).get(providerUid) ?? []);
  if (before.some(isWhole) || isWhole(hold)) return true;
  const offers = around.offersOf(providerUid);
  return [...hold.amounts].some(([resourceType, amount]) => {
    const used = before.reduce((sum, each) => sum + (each.amounts.get(resourceType) ?? 0), 0);
    return used + amount > (offers.get(resourceType)?.usable ?? 0);
  });
};

/** By a whole machine above it, or by any part of what it takes whole, that should be free. */
const isBarred = (claim: ClaimRecord, hold: Hold, there: There): boolean => {
  const { around, providerUid, nowMs } = there;
  const isLate = (uid: string, isBarring: (one: Hold) => boolean): boolean =>
    lateBefore(claim, uid, there).some((other) => {
      const held = holdsOf(other, nowMs).get(uid);
      return held !== undefined && isBarring(held);
    });
  for (const uid of around.above(providerUid)) if (isLate(uid, isWhole)) return true;
  if (!isWhole(hold)) return false;
  for (const uid of around.below(providerUid)) if (isLate(uid, () => true)) return true;
  return false;
};

const NONE: readonly ClaimRecord[] = [];

/**
 * Claims on the provider that come before this one and should have given it back. There is hardly
 * ever one among hundreds of slices, and every answer asks.
 */
const lateBefore = (
  claim: ClaimRecord,
  providerUid: string,
  { around, nowMs }: There,
): readonly ClaimRecord[] => {
  let found: ClaimRecord[] | undefined;
  for (const other of around.endingOn(providerUid)) {
    if (!isReleasing(other, nowMs) || isEnded(other) || !isBefore(other, claim)) continue;
    found ??= [];
    found.push(other);
  }
  return found ?? NONE;
};

/** Claims on the provider that come before this one and have not ended. */
const earlierOn = (
  providerUid: string,
  claim: ClaimRecord,
  { claimsOn }: Surroundings,
): readonly ClaimRecord[] =>
  [...claimsOn(providerUid)].filter((other) => !isEnded(other) && isBefore(other, claim));

const isHolding = ({ providers }: ClaimRecord, providerUid: string): boolean =>
  providers.some(({ uid, finishMs }) => uid === providerUid && finishMs === undefined);

/** Who comes first when not all can be served. */
const isBefore = (a: ClaimRecord, b: ClaimRecord): boolean => {
  if (a.spec.acquireMs !== b.spec.acquireMs) return a.spec.acquireMs < b.spec.acquireMs;
  return a.createMs === b.createMs ? a.uid < b.uid : a.createMs < b.createMs;
};

/**
 * True when the claim's resources on the provider are in use: its window has begun, it has not
 * given them back and it need not wait. A claim that was released while it waited uses nothing.
 */
export const isUsing = (
  claim: ClaimRecord,
  providerUid: string,
  { around, nowMs }: Pick<There, 'around' | 'nowMs'>,
): boolean => {
  const hold = holdsOf(claim, nowMs).get(providerUid);
  if (hold === undefined || nowMs < claim.spec.acquireMs) return false;
  return !mustWait(claim, hold, { around, providerUid, nowMs });
};
