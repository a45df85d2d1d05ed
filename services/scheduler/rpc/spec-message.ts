/** From the domain's request to the ClaimSpec that callers see. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type {
  PropertyConstraintSchema,
  SetConstraintSchema,
} from '../../../gen/runmachine/common/v1/constraint_pb.ts';
import type { PropertyValueSchema } from '../../../gen/runmachine/common/v1/property_pb.ts';
import {
  type ClaimSpecSchema,
  type DistanceConstraintSchema,
  Ranking as RankingMessage,
  type RequestGroup as RequestGroupMessage,
  RequestGroupSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type {
  ClaimSpec,
  DistanceConstraint,
  DistanceFrom,
  Property,
  PropertyConstraint,
  PropertyItem,
  Ranking,
  RequestGroup,
  SetConstraint,
} from '../domain/claim.ts';
import { GROUP_KIND_MESSAGES } from '../group-kind.ts';

export const RANKINGS: Readonly<Record<Ranking, RankingMessage>> = {
  pack: RankingMessage.PACK,
  spread: RankingMessage.SPREAD,
  random: RankingMessage.RANDOM,
  closest: RankingMessage.CLOSEST,
};

export const specMessage = (spec: ClaimSpec): MessageInitShape<typeof ClaimSpecSchema> => ({
  ...(spec.consumer !== undefined && { consumer: spec.consumer }),
  acquireTime: timestampFromMs(spec.acquireMs),
  ...(spec.releaseMs !== undefined && { releaseTime: timestampFromMs(spec.releaseMs) }),
  groups: spec.groups.map(groupMessage),
  count: spec.count,
  ranking: RANKINGS[spec.ranking],
  rankingDistanceType: spec.rankingDistanceType ?? '',
  nearGroup: spec.nearGroup ?? '',
  seed: spec.seed ?? '',
  ...(spec.spread !== undefined && {
    spread: {
      groupKind: GROUP_KIND_MESSAGES[spec.spread.groupKind],
      maxPerGroup: spec.spread.maxPerGroup,
    },
  }),
});

const made = new WeakMap<RequestGroup, RequestGroupMessage>();

/**
 * Claims that ask for the same have one object for it, and so have the answers: nobody changes
 * what is answered.
 */
export const groupMessage = (group: RequestGroup): RequestGroupMessage => {
  const before = made.get(group);
  if (before !== undefined) return before;
  const message = create(RequestGroupSchema, groupInit(group));
  made.set(group, message);
  return message;
};

const groupInit = (group: RequestGroup): MessageInitShape<typeof RequestGroupSchema> => ({
  name: group.name,
  resources: group.resources.map(({ resourceType, amount, minAmount, capabilities }) => ({
    resourceType,
    amount: BigInt(amount),
    minAmount: BigInt(minAmount ?? 0),
    capabilities: (capabilities ?? []).map(constraintMessage),
  })),
  capabilities: group.capabilities.map(constraintMessage),
  providerGroups: constraintMessage(group.providerGroups),
  tags: constraintMessage(group.tags),
  providers: [...group.providers],
  isolateFrom: [...group.isolateFrom],
  ...(group.properties !== undefined && { properties: propertiesMessage(group.properties) }),
  distances: (group.distances ?? []).map(distanceMessage),
  inTree: group.inTree ?? '',
  multipleProviders: group.multipleProviders ?? false,
  sameSubtree: [...(group.sameSubtree ?? [])],
  isolateFromConsumers: [...(group.isolateFromConsumers ?? [])],
});

const constraintMessage = (
  constraint: SetConstraint,
): MessageInitShape<typeof SetConstraintSchema> => ({
  require: [...constraint.require],
  forbid: [...constraint.forbid],
  any: [...constraint.any],
});

const propertiesMessage = (
  constraint: PropertyConstraint,
): MessageInitShape<typeof PropertyConstraintSchema> => ({
  requireItems: constraint.requireItems.map(itemMessage),
  forbidItems: constraint.forbidItems.map(itemMessage),
  anyItems: constraint.anyItems.map(itemMessage),
  requireKeys: [...constraint.requireKeys],
  forbidKeys: [...constraint.forbidKeys],
  anyKeys: [...constraint.anyKeys],
});

const itemMessage = ({ key, value }: PropertyItem) => ({ key, value: propertyMessage(value) });

export const propertyMessage = (
  property: Property,
): MessageInitShape<typeof PropertyValueSchema> => {
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

type DistanceMessage = MessageInitShape<typeof DistanceConstraintSchema>;

const distanceMessage = (constraint: DistanceConstraint): DistanceMessage => ({
  type: constraint.type,
  from: fromMessage(constraint.from),
  minimum: constraint.minimum ?? '',
  maximum: constraint.maximum ?? '',
});

const fromMessage = (from: DistanceFrom): NonNullable<DistanceMessage['from']> => {
  switch (from.kind) {
    case 'provider-group':
      return { case: 'providerGroup', value: from.id };
    case 'provider':
      return { case: 'provider', value: from.uid };
    case 'request-group':
      return { case: 'requestGroup', value: from.name };
    case 'consumer':
      return { case: 'consumer', value: from.uid };
  }
};
