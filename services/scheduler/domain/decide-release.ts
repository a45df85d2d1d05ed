import { failedPrecondition, notFound } from '../../runtime/errors.ts';
import { type ClaimRecord, isReleasing, keyOf, withNote } from './claim.ts';
import type { ClaimRef, Command, Decision, Origin } from './command.ts';
import type { Moment } from './decide.ts';
import { entryOf, noteOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';

/** Begins the release. What is released already, or releasing, stays as it is. */
export const decideBeginRelease = (
  state: PartitionState,
  { ref, origin, precondition }: Extract<Command, { verb: 'begin-release' }>,
  moment: Moment,
): Decision => {
  const claim = found(state, ref);
  precondition(claim);
  if (claim.releaseBeginMs !== undefined) return { kind: 'claim', claim, entry: undefined };
  const { releaseMs } = claim.spec;
  const releaseBeginMs = Math.min(moment.nowMs, releaseMs ?? Infinity);
  const next = changed(claim, { origin, verb: 'begin-release', moment }, { releaseBeginMs });
  const entry = entryOf('claim.release', { claim: next, origin, after: { releaseBeginMs } });
  return { kind: 'claim', claim: next, entry };
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
  const claim = found(state, ref);
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
  const fields = {
    releaseBeginMs: claim.releaseBeginMs ?? claim.spec.releaseMs ?? nowMs,
    providers: claim.providers.map((one) => (one === provider ? { ...one, finishMs: nowMs } : one)),
  };
  const next = changed(claim, { origin, verb: 'finish-release', moment }, fields);
  const after = { providerUid, finishMs: nowMs };
  return {
    kind: 'claim',
    claim: next,
    entry: entryOf('claim.finish', { claim: next, origin, after }),
  };
};

const found = (state: PartitionState, { project, claim }: ClaimRef): ClaimRecord => {
  const byUid = state.claims.get(keyOf(claim));
  const isThere = byUid !== undefined && keyOf(byUid.project) === keyOf(project);
  const one = isThere ? byUid : state.claims.findByName(project, claim);
  if (one !== undefined) return one;
  const name = `partitions/${state.partition}/projects/${project}/claims/${claim}`;
  throw notFound('NOT_FOUND', `The claim "${name}" does not exist`, {
    metadata: { name, type: 'runm.claim' },
  });
};

type Why = { readonly origin: Origin; readonly verb: string; readonly moment: Moment };

const changed = (
  claim: ClaimRecord,
  { origin, verb, moment }: Why,
  fields: Partial<Pick<ClaimRecord, 'releaseBeginMs' | 'providers'>>,
): ClaimRecord => ({
  ...claim,
  ...fields,
  version: claim.version + 1,
  updateMs: moment.nowMs,
  logNumber: moment.logNumber,
  requests: withNote(claim.requests, noteOf(origin, verb, moment.nowMs)),
});
