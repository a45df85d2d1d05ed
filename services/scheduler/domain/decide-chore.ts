/** What the leader does by itself while a claim lives: it warns, and it looks for another place. */
import { notFound } from '../../runtime/errors.ts';
import { changed, withoutRisk } from './change-claim.ts';
import { riskOf, warnDueMs } from './chores.ts';
import { type ClaimRecord, type ClaimRisk, isReleasing } from './claim.ts';
import type { Command, Decision } from './command.ts';
import type { Moment } from './decide.ts';
import { entryOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';
import { findPlace } from './place.ts';
import type { Placed } from './plan.ts';
import { givenAmounts } from './quota-count.ts';

/** Once for an end: whoever follows the claim tells its owner. */
export const decideWarn = (
  state: PartitionState,
  { uid, origin, verb }: Extract<Command, { verb: 'warn' }>,
  moment: Moment,
): Decision => {
  const claim = known(state, uid);
  const dueMs = warnDueMs(claim, state.times);
  if (isReleasing(claim, moment.nowMs) || dueMs === undefined || dueMs > moment.nowMs) {
    return { kind: 'claim', claim, entry: undefined };
  }
  const next = { ...changed(claim, { origin, verb, moment }), warnMs: moment.nowMs };
  const after = { releaseMs: claim.spec.releaseMs };
  return {
    kind: 'claim',
    claim: next,
    entry: entryOf('claim.warn', { claim: next, origin, after }),
  };
};

/**
 * A claim that cannot begin where it is placed is placed anew as a whole, or its risk is written;
 * once nothing stands against it the risk is taken back.
 */
export const decideAssess = (
  state: PartitionState,
  { uid, origin, verb }: Extract<Command, { verb: 'assess' }>,
  moment: Moment,
): Decision => {
  const claim = known(state, uid);
  const risk = riskOf(state, claim, moment.nowMs);
  const why = { origin, verb, moment };
  if (risk === undefined) {
    if (claim.risk === undefined) return { kind: 'claim', claim, entry: undefined };
    const next = withoutRisk(changed(claim, why));
    return {
      kind: 'claim',
      claim: next,
      entry: entryOf('claim.cure', { claim: next, origin, after: {} }),
    };
  }
  const plan = planAnew(state, claim, moment.nowMs);
  if (plan !== undefined) {
    const next = replaced(withoutRisk(changed(claim, why)), plan);
    const taken = new Set(plan.providers.map((one) => one.uid));
    const left = claim.providers.map((one) => one.uid).filter((one) => !taken.has(one));
    const after = {
      reason: risk.reason,
      providers: [...taken].slice(0, 64),
      left: left.slice(0, 64),
    };
    const entry = entryOf('claim.replace', { claim: next, origin, after });
    return { kind: 'claim', claim: next, entry, left };
  }
  if (claim.risk?.reason === risk.reason) return { kind: 'claim', claim, entry: undefined };
  const written: ClaimRisk = { ...risk, sinceMs: claim.risk?.sinceMs ?? moment.nowMs };
  const next = { ...changed(claim, why), risk: written };
  return {
    kind: 'claim',
    claim: next,
    entry: entryOf('claim.risk', { claim: next, origin, after: risk }),
  };
};

const known = (state: PartitionState, uid: string): ClaimRecord => {
  const claim = state.claims.get(uid);
  if (claim !== undefined) return claim;
  throw notFound('NOT_FOUND', `No claim "${uid}" is there`, { metadata: { name: uid } });
};

/** It is tried again every minute, beside the claims of callers. */
const EXPANSIONS_MAX = 5_000;

/** Another place for all of it that passes no quota; undefined = there is none. */
const planAnew = (state: PartitionState, claim: ClaimRecord, nowMs: number): Placed | undefined => {
  const { spec } = claim;
  const window = { fromMs: Math.max(spec.acquireMs, nowMs), toMs: spec.releaseMs ?? Infinity };
  const seed = spec.seed ?? claim.uid;
  const plan = findPlace(state.providers, {
    spec,
    window,
    seed,
    ignoreClaimUid: claim.uid,
    expansionsMax: EXPANSIONS_MAX,
  });
  if (plan.kind !== 'placed') return undefined;
  const before = givenAmounts(spec, claim.placements);
  const more = new Map(
    [...givenAmounts(spec, plan.placements)].map(([code, amount]) => [
      code,
      amount - (before.get(code) ?? 0),
    ]),
  );
  return state.quotas.excess(claim, more, window) === undefined ? plan : undefined;
};

const replaced = (claim: ClaimRecord, { providers, placements }: Placed): ClaimRecord => ({
  ...claim,
  providers: providers.map(({ uid, name }) => ({ uid, name, finishMs: undefined })),
  placements,
  replacements: (claim.replacements ?? 0) + 1,
});
