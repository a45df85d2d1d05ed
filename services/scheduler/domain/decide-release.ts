import { failedPrecondition, notFound } from '../../runtime/errors.ts';
import { changed, findClaim, withoutRisk } from './change-claim.ts';
import { type ClaimEnd, type ClaimRecord, isReleasing } from './claim.ts';
import type { Command, Decision } from './command.ts';
import type { Moment } from './decide.ts';
import { entryOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';

/** Begins the release. What is released already, or releasing, stays as it is. */
export const decideBeginRelease = (
  state: PartitionState,
  { ref, origin, precondition }: Extract<Command, { verb: 'begin-release' }>,
  moment: Moment,
): Decision => {
  const claim = findClaim(state, ref);
  precondition(claim);
  if (claim.releaseBeginMs !== undefined) return { kind: 'claim', claim, entry: undefined };
  const { releaseMs } = claim.spec;
  const releaseBeginMs = Math.min(moment.nowMs, releaseMs ?? Infinity);
  const end = endOf(claim, moment.nowMs);
  const why = { origin, verb: 'begin-release', moment };
  const next = { ...changed(withoutRisk(claim), why), releaseBeginMs, end };
  const after = { releaseBeginMs, end };
  return {
    kind: 'claim',
    claim: next,
    entry: entryOf('claim.release', { claim: next, origin, after }),
  };
};

/** Why its release begins now. */
const endOf = ({ spec: { acquireMs, releaseMs } }: ClaimRecord, nowMs: number): ClaimEnd => {
  if (releaseMs !== undefined && releaseMs <= nowMs) return 'expired';
  return nowMs < acquireMs ? 'cancelled' : 'released';
};

/**
 * Ends the claim's allocations on one provider. Errors: INVALID_STATE while its release has not
 * begun.
 */
export const decideFinishRelease = (
  state: PartitionState,
  { ref, origin, providerUid }: Extract<Command, { verb: 'finish-release' }>,
  moment: Moment,
): Decision => {
  const claim = findClaim(state, ref);
  const { nowMs } = moment;
  const provider = claim.providers.find(({ uid }) => uid === providerUid);
  if (provider === undefined) {
    throw notFound('NOT_FOUND', `The claim holds nothing of provider "${providerUid}"`, {
      metadata: { name: providerUid, type: 'runm.provider' },
    });
  }
  if (!isReleasing(claim, nowMs)) {
    const state = nowMs < claim.spec.acquireMs ? 'PENDING' : 'ACTIVE';
    throw failedPrecondition('INVALID_STATE', `The claim is ${state}; begin its release first`, {
      invalidState: { state, allowed: ['RELEASING'] },
      metadata: { claim: claim.uid, state },
    });
  }
  if (provider.finishMs !== undefined) return { kind: 'claim', claim, entry: undefined };
  const why = { origin, verb: 'finish-release', moment };
  const next: ClaimRecord = {
    ...changed(withoutRisk(claim), why),
    releaseBeginMs: claim.releaseBeginMs ?? claim.spec.releaseMs ?? nowMs,
    end: claim.end ?? endOf(claim, nowMs),
    providers: claim.providers.map((one) => (one === provider ? { ...one, finishMs: nowMs } : one)),
  };
  const after = { providerUid, finishMs: nowMs };
  return {
    kind: 'claim',
    claim: next,
    entry: entryOf('claim.finish', { claim: next, origin, after }),
  };
};
