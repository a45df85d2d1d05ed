/** Whether a claim can hold what it holds for longer. */
import type { ClaimRecord } from './claim.ts';
import { WHOLE } from './claim.ts';
import { type Hold, holdsOf, type Interval, isWhole, overlaps, peakUse } from './hold.ts';
import type { PartitionState } from './partition-state.ts';

export type Obstacle = {
  readonly providerUid: string;
  readonly provider: string;
  readonly resourceType: string;
  /** Up to here it could last on this provider; undefined = not beyond its present end. */
  readonly freeUntilMs: number | undefined;
};

/** The first provider on which the added time is not free; undefined = all are. */
export const obstacleIn = (
  state: PartitionState,
  claim: ClaimRecord,
  added: Interval,
): Obstacle | undefined => {
  for (const [providerUid, hold] of holdsOf(claim, added.fromMs - 1)) {
    const others = othersOn(state, { providerUid, claimUid: claim.uid, hold });
    const turnaroundMs = isWhole(hold) ? state.turnaroundMs(providerUid) : 0;
    const found = conflictOf(hold, others, {
      added: { ...added, toMs: added.toMs + turnaroundMs },
      usable: (code) => state.offersOf(providerUid).get(code)?.usable ?? 0,
    });
    if (found === undefined) continue;
    const name = claim.providers.find(({ uid }) => uid === providerUid)?.name ?? providerUid;
    const freeUntilMs = found.atMs - turnaroundMs;
    return {
      providerUid,
      provider: name,
      resourceType: found.resourceType,
      freeUntilMs: freeUntilMs > added.fromMs ? freeUntilMs : undefined,
    };
  }
  return undefined;
};

type Own = { readonly providerUid: string; readonly claimUid: string; readonly hold: Hold };

/** What other claims hold of the provider, and in its tree what counts there. */
const othersOn = (
  { providers }: PartitionState,
  { providerUid, claimUid, hold }: Own,
): readonly Hold[] => {
  const booked = providers.find(providerUid)?.booked;
  const implied = [...(booked?.above ?? []), ...((isWhole(hold) && booked?.below) || [])];
  const all = [...(booked?.own ?? []), ...implied.map((one) => one.hold)];
  return all.filter((other) => other.claimUid !== claimUid);
};

type Time = { readonly added: Interval; readonly usable: (resourceType: string) => number };

type Conflict = { readonly resourceType: string; readonly atMs: number };

/**
 * What stands against the hold in the added time, and from when. A whole machine shares its
 * provider with nothing, and nothing with a whole machine.
 */
export const conflictOf = (
  hold: Pick<Hold, 'amounts'>,
  others: readonly Hold[],
  { added, usable }: Time,
): Conflict | undefined => {
  const there = others.filter((other) => overlaps(other, added));
  const barring = isWhole(hold) ? there : there.filter(isWhole);
  if (barring.length > 0) {
    const atMs = Math.min(...barring.map(({ fromMs }) => fromMs));
    return { resourceType: WHOLE, atMs: Math.max(atMs, added.fromMs) };
  }
  if (isWhole(hold)) return undefined;
  for (const [resourceType, amount] of hold.amounts) {
    const most = usable(resourceType) - amount;
    if (peakUse(there, resourceType, added) <= most) continue;
    return { resourceType, atMs: firstAbove(there, resourceType, { added, most }) };
  }
  return undefined;
};

type Above = { readonly added: Interval; readonly most: number };

/** The first instant at which more is used; use only grows where a hold begins. */
const firstAbove = (holds: readonly Hold[], code: string, { added, most }: Above): number => {
  const begins = holds.map(({ fromMs }) => Math.max(fromMs, added.fromMs)).sort((a, b) => a - b);
  const isAbove = (ms: number) => peakUse(holds, code, { fromMs: ms, toMs: ms + 1 }) > most;
  return begins.find(isAbove) ?? added.fromMs;
};
