/** From a record to the Claim that callers see. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { PropertyValueSchema } from '../../../gen/runmachine/common/v1/property_pb.ts';
import {
  type Claim,
  ClaimSchema,
  ClaimState as ClaimStateMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimSpecSchema,
  Ranking as RankingMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import {
  allocationsOf,
  type ClaimRecord,
  type ClaimSpec,
  claimName,
  type Property,
  type Ranking,
} from '../domain/claim.ts';
import { type ClaimState, claimState } from '../domain/claim-state.ts';
import type { PartitionView } from '../ports.ts';

export type ClaimShown = {
  readonly view: PartitionView;
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
};

export const claimMessage = (claim: ClaimRecord, shown: ClaimShown): Claim => {
  const { view, incarnation, revision } = shown;
  const isStored = revision > 0n;
  const around = { claimsOn: view.claims.ofProvider, offersOf: view.offersOf };
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
      state: STATES[claimState(claim, around, view.nowMs())],
      allocations: allocationsOf(claim).map(({ amount, finishMs, ...rest }) => ({
        ...rest,
        amount: BigInt(amount),
        ...(finishMs !== undefined && { finishTime: timestampFromMs(finishMs) }),
      })),
      ...(claim.releaseBeginMs !== undefined && {
        releaseBeginTime: timestampFromMs(claim.releaseBeginMs),
      }),
      revision,
    },
  });
};

const RANKINGS: Readonly<Record<Ranking, RankingMessage>> = {
  pack: RankingMessage.PACK,
  spread: RankingMessage.SPREAD,
  random: RankingMessage.RANDOM,
  closest: RankingMessage.CLOSEST,
};

const specMessage = (spec: ClaimSpec): MessageInitShape<typeof ClaimSpecSchema> => ({
  ...(spec.consumer !== undefined && { consumer: spec.consumer }),
  acquireTime: timestampFromMs(spec.acquireMs),
  ...(spec.releaseMs !== undefined && { releaseTime: timestampFromMs(spec.releaseMs) }),
  groups: spec.groups.map(({ resources, providers, isolateFrom, ...group }) => ({
    name: group.name,
    resources: resources.map(({ resourceType, amount }) => ({
      resourceType,
      amount: BigInt(amount),
    })),
    capabilities: group.capabilities.map(constraintMessage),
    providerGroups: constraintMessage(group.providerGroups),
    tags: constraintMessage(group.tags),
    providers: [...providers],
    isolateFrom: [...isolateFrom],
  })),
  count: spec.count,
  ranking: RANKINGS[spec.ranking],
});

type Constraint = ClaimSpec['groups'][number]['tags'];

const constraintMessage = (constraint: Constraint) => ({
  require: [...constraint.require],
  forbid: [...constraint.forbid],
  any: [...constraint.any],
});

const propertyMessage = (property: Property): MessageInitShape<typeof PropertyValueSchema> => {
  switch (property.kind) {
    case 'string':
      return { kind: { case: 'stringValue', value: property.value } };
    case 'integer':
      return { kind: { case: 'integerValue', value: BigInt(property.value) } };
    case 'number':
      return { kind: { case: 'numberValue', value: Number(property.value) } };
    case 'bool':
      return { kind: { case: 'boolValue', value: property.value } };
    case 'strings':
      return { kind: { case: 'stringList', value: { values: [...property.value] } } };
  }
};
