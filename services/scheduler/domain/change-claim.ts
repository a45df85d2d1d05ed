/** How a claim that is there is found and changed. */
import { failedPrecondition, notFound } from '../../runtime/errors.ts';
import { type ClaimRecord, isEnded, isReleasing, keyOf, withNote } from './claim.ts';
import type { ClaimRef, Origin } from './command.ts';
import type { Moment } from './decide.ts';
import { noteOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';

/** Errors: not_found. */
export const findClaim = (state: PartitionState, { project, claim }: ClaimRef): ClaimRecord => {
  const byUid = state.claims.get(keyOf(claim));
  const isThere = byUid !== undefined && keyOf(byUid.project) === keyOf(project);
  const one = isThere ? byUid : state.claims.findByName(project, claim);
  if (one !== undefined) return one;
  const name = `partitions/${state.partition}/projects/${project}/claims/${claim}`;
  throw notFound('NOT_FOUND', `The claim "${name}" does not exist`, {
    metadata: { name, type: 'runm.claim' },
  });
};

/** Errors: failed_precondition INVALID_STATE once its release has begun. */
export const assertNotReleasing = (claim: ClaimRecord, nowMs: number): void => {
  if (!isReleasing(claim, nowMs)) return;
  const state = isEnded(claim) ? 'RELEASED' : 'RELEASING';
  throw failedPrecondition('INVALID_STATE', `The claim is ${state} already`, {
    invalidState: { state, allowed: ['PENDING', 'ACTIVE', 'WAITING', 'AT_RISK'] },
    metadata: { claim: claim.uid, state },
  });
};

type Why = { readonly origin: Origin; readonly verb: string; readonly moment: Moment };

/** What every change of a record changes; the request is noted. */
export const changed = (claim: ClaimRecord, { origin, verb, moment }: Why): ClaimRecord => ({
  ...claim,
  version: claim.version + 1,
  updateMs: moment.nowMs,
  logNumber: moment.logNumber,
  requests: withNote(claim.requests, noteOf(origin, verb, moment.nowMs)),
});

export const withoutWarning = ({ warnMs: _, ...claim }: ClaimRecord): ClaimRecord => claim;

export const withoutRisk = ({ risk: _, ...claim }: ClaimRecord): ClaimRecord => claim;
