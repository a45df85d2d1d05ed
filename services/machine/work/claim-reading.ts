/** Claims of the scheduler's contract as the domain sees them. */
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type Claim,
  ClaimEnd as ClaimEndMessage,
  ClaimState as ClaimStateMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { ClaimState, ClaimView } from '../domain/claim.ts';
import type { FollowedClaim } from '../domain/claim-news.ts';

const STATES: ReadonlyMap<ClaimStateMessage, ClaimState> = new Map<ClaimStateMessage, ClaimState>([
  [ClaimStateMessage.PENDING, 'pending'],
  [ClaimStateMessage.ACTIVE, 'active'],
  [ClaimStateMessage.WAITING, 'waiting'],
  [ClaimStateMessage.AT_RISK, 'at_risk'],
  [ClaimStateMessage.RELEASING, 'releasing'],
  [ClaimStateMessage.RELEASED, 'released'],
]);

export const claimView = (claim: Claim): ClaimView => ({
  name: claim.name,
  uid: claim.uid,
  // A state that is not known here is shown to nobody and acted on by nobody: pending does nothing.
  state: STATES.get(claim.status?.state ?? ClaimStateMessage.UNSPECIFIED) ?? 'pending',
  consumerType: claim.spec?.consumer?.type ?? '',
  consumerUid: claim.spec?.consumer?.uid ?? '',
  createMs: claim.createTime === undefined ? 0 : timestampMs(claim.createTime),
  places: (claim.status?.allocations ?? []).map((allocation) => ({
    group: allocation.group,
    index: allocation.index,
    provider: allocation.provider,
    providerUid: allocation.providerUid,
    resourceType: allocation.resourceType,
    amount: Number(allocation.amount),
    finished: allocation.finishTime !== undefined,
  })),
});

const ENDS: ReadonlyMap<ClaimEndMessage, FollowedClaim['end']> = new Map<
  ClaimEndMessage,
  FollowedClaim['end']
>([
  [ClaimEndMessage.RELEASED, 'released'],
  [ClaimEndMessage.EXPIRED, 'expired'],
  [ClaimEndMessage.CANCELLED, 'cancelled'],
]);

export const followedClaim = (claim: Claim): FollowedClaim => {
  const { spec, status } = claim;
  const finished = (status?.allocations ?? []).flatMap(({ finishTime }) => msOf(finishTime) ?? []);
  const problem = status?.problem;
  return {
    ...claimView(claim),
    owner: status?.owner ?? '',
    releaseMs: msOf(spec?.releaseTime),
    warnMs: msOf(status?.warnTime),
    releaseBeginMs: msOf(status?.releaseBeginTime),
    finishMs: finished.length === 0 ? undefined : Math.max(...finished),
    end: ENDS.get(status?.end ?? ClaimEndMessage.UNSPECIFIED) ?? 'none',
    problem: problem && {
      reason: problem.reason,
      message: problem.message,
      sinceMs: msOf(problem.since) ?? 0,
    },
    replacements: status?.replacements ?? 0,
  };
};

const msOf = (time: Timestamp | undefined): number | undefined =>
  time === undefined ? undefined : timestampMs(time);
