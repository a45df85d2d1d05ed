/** From a record to the Claim that callers see. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ProblemSchema } from '../../../gen/runmachine/common/v1/problem_pb.ts';
import {
  type Claim,
  ClaimEnd as ClaimEndMessage,
  ClaimSchema,
  ClaimState as ClaimStateMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import {
  allocationsOf,
  type ClaimEnd,
  type ClaimRecord,
  type ClaimRisk,
  claimName,
} from '../domain/claim.ts';
import { type ClaimState, claimState } from '../domain/claim-state.ts';
import type { PartitionView } from '../ports.ts';
import { propertyMessage, specMessage } from './spec-message.ts';

export type ClaimShown = {
  readonly view: Pick<PartitionView, 'around' | 'nowMs'>;
  readonly incarnation: number;
  /** Store revision that holds this state; 0 = it is stored nowhere. */
  readonly revision: bigint;
};

const STATES: Readonly<Record<ClaimState, ClaimStateMessage>> = {
  pending: ClaimStateMessage.PENDING,
  active: ClaimStateMessage.ACTIVE,
  waiting: ClaimStateMessage.WAITING,
  releasing: ClaimStateMessage.RELEASING,
  released: ClaimStateMessage.RELEASED,
  'at-risk': ClaimStateMessage.AT_RISK,
};

export const ENDS: Readonly<Record<ClaimEnd, ClaimEndMessage>> = {
  released: ClaimEndMessage.RELEASED,
  expired: ClaimEndMessage.EXPIRED,
  cancelled: ClaimEndMessage.CANCELLED,
};

export const claimMessage = (claim: ClaimRecord, shown: ClaimShown): Claim => {
  const { view, incarnation, revision } = shown;
  const isStored = revision > 0n;
  return create(ClaimSchema, {
    name: claimName(claim),
    uid: isStored ? claim.uid : '',
    etag: isStored ? etagOf(claim, incarnation) : '',
    generation: BigInt(claim.generation),
    createTime: timestampFromMs(claim.createMs),
    updateTime: timestampFromMs(claim.updateMs),
    properties: Object.fromEntries(
      Object.entries(claim.properties).map(([key, value]) => [key, propertyMessage(value)]),
    ),
    tags: [...claim.tags],
    spec: specMessage(claim.spec),
    status: {
      state: stateMessage(claim, view),
      allocations: allocationsOf(claim).map(({ amount, finishMs, ...rest }) => ({
        ...rest,
        amount: BigInt(amount),
        ...(finishMs !== undefined && { finishTime: timestampFromMs(finishMs) }),
      })),
      ...(claim.releaseBeginMs !== undefined && {
        releaseBeginTime: timestampFromMs(claim.releaseBeginMs),
      }),
      revision,
      owner: claim.owner,
      end: claim.end === undefined ? ClaimEndMessage.UNSPECIFIED : ENDS[claim.end],
      ...(claim.warnMs !== undefined && { warnTime: timestampFromMs(claim.warnMs) }),
      ...(claim.risk !== undefined && { problem: problemMessage(claim.risk) }),
      replacements: claim.replacements ?? 0,
    },
  });
};

export const problemMessage = ({
  reason,
  message,
  sinceMs,
}: ClaimRisk): MessageInitShape<typeof ProblemSchema> => ({
  reason,
  message,
  since: timestampFromMs(sinceMs),
});

export const stateMessage = (claim: ClaimRecord, view: ClaimShown['view']): ClaimStateMessage =>
  STATES[claimState(claim, view.around, view.nowMs())];
