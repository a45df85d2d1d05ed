/**
 * What the clock asks of the leader besides ending windows: to warn of an end, and to see that
 * claims can begin. What stands here only says when to look and what is wrong; decide-chore.ts
 * decides.
 */
import { isClosed } from './capacity.ts';
import { type ClaimRecord, type ClaimRisk, isReleasing } from './claim.ts';
import { claimState } from './claim-state.ts';
import { type Command, ON_TIME } from './command.ts';
import type { PartitionState } from './partition-state.ts';

export type ChoreTimes = {
  /** So long before its end the owner of a claim is warned, but not before half of its length. */
  readonly warnBeforeMs: number;
  /** So long a claim may wait for a provider that another should have given back. */
  readonly atRiskAfterMs: number;
  /** So long before its begin a claim must have open providers. */
  readonly replaceBeforeMs: number;
  /** Pause between two looks at a claim that is at risk. */
  readonly againMs: number;
};

export const CHORE_TIMES: ChoreTimes = {
  warnBeforeMs: 24 * 3_600_000,
  atRiskAfterMs: 15 * 60_000,
  replaceBeforeMs: 3_600_000,
  againMs: 60_000,
};

/** When its owner is to be warned; undefined = not any more, or it has no end. */
export const warnDueMs = (
  { spec: { acquireMs, releaseMs }, warnMs }: ClaimRecord,
  { warnBeforeMs }: ChoreTimes,
): number | undefined =>
  releaseMs === undefined || warnMs !== undefined
    ? undefined
    : Math.max(releaseMs - warnBeforeMs, acquireMs + Math.floor((releaseMs - acquireMs) / 2));

/** When the claim has to be looked at next; undefined = never. */
export const nextLookMs = (
  claim: ClaimRecord,
  times: ChoreTimes,
  nowMs: number,
): number | undefined => {
  if (claim.releaseBeginMs !== undefined) return undefined;
  const { acquireMs, releaseMs } = claim.spec;
  // What began when it was made has had its place from the beginning.
  const begin =
    claim.createMs < acquireMs
      ? [acquireMs - times.replaceBeforeMs, acquireMs + times.atRiskAfterMs]
      : [];
  const toCome = [...begin, ...(claim.risk === undefined ? [] : [nowMs + times.againMs])].filter(
    (ms) => ms > nowMs,
  );
  const whenever = [releaseMs, warnDueMs(claim, times)].filter((ms) => ms !== undefined);
  const all = [...toCome, ...whenever];
  return all.length === 0 ? undefined : Math.min(...all);
};

/** Why the claim cannot begin as it is placed, though it should; undefined = it can. */
export const riskOf = (
  state: PartitionState,
  claim: ClaimRecord,
  nowMs: number,
): Omit<ClaimRisk, 'sinceMs'> | undefined => {
  const { acquireMs } = claim.spec;
  const { replaceBeforeMs, atRiskAfterMs } = state.times;
  if (isReleasing(claim, nowMs) || nowMs < acquireMs - replaceBeforeMs) return undefined;
  const isToBegin = nowMs < acquireMs;
  const waits = !isToBegin && isWaiting(state, claim, nowMs);
  if (!isToBegin && !waits && !hasNotBegun(claim)) return undefined;
  for (const { uid, name } of claim.providers) {
    const facts = state.providers.factsOf(uid);
    if (facts === undefined) {
      return { reason: 'PROVIDER_GONE', message: `The provider "${name}" is not there any more` };
    }
    if (isClosed(facts, state.capacity(uid))) {
      return { reason: 'PROVIDER_CLOSED', message: `The provider "${name}" is closed` };
    }
  }
  if (!waits || nowMs < acquireMs + atRiskAfterMs) return undefined;
  const message = 'A claim that should have ended still holds a provider';
  return { reason: 'STILL_HELD', message };
};

/** It came to its begin without a provider that it could begin on, and was told so. */
const hasNotBegun = ({ risk }: ClaimRecord): boolean =>
  risk !== undefined && risk.reason !== 'STILL_HELD';

const isWaiting = (state: PartitionState, claim: ClaimRecord, nowMs: number): boolean => {
  const { risk: _, ...bare } = claim;
  return claimState(bare, state.around, nowMs) === 'waiting';
};

/** Commands of the leader's own on the clock that one batch has. */
const CHORES_MAX = 16;
/** Claims that one batch looks at. */
const LOOKS_MAX = 64;

/**
 * What is to be done now, some of it; the rest waits for the next batch. `canPlace` is false while
 * the providers are not known.
 */
export const choresOf = (
  state: PartitionState,
  nowMs: number,
  canPlace: boolean,
): readonly Command[] => {
  const chores: Command[] = [];
  for (let looked = 0; looked < LOOKS_MAX && chores.length < CHORES_MAX; looked += 1) {
    const [claim] = state.takeLooks(1);
    if (claim === undefined) break;
    const { uid } = claim;
    const isToWarn = (warnDueMs(claim, state.times) ?? Infinity) <= nowMs;
    const isAtRisk = claim.risk !== undefined || riskOf(state, claim, nowMs) !== undefined;
    if (isToWarn) chores.push({ verb: 'warn', origin: ON_TIME, uid });
    if (isAtRisk && canPlace) chores.push({ verb: 'assess', origin: ON_TIME, uid });
    const nextMs = nextLookMs(claim, state.times, nowMs);
    // What is being done now changes the claim, and with it the time of the next look.
    const atMs = isToWarn || isAtRisk ? nowMs + state.times.againMs : nextMs;
    if (atMs !== undefined) state.lookAgain(uid, Math.min(atMs, nextEnd(claim)));
  }
  return chores;
};

const nextEnd = ({ spec }: ClaimRecord): number => spec.releaseMs ?? Infinity;
