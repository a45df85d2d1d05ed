/** From a request group of the contract to the domain's. What is empty there is absent here. */
import type {
  PropertyConstraint as PropertyConstraintMessage,
  PropertyItem as PropertyItemMessage,
  SetConstraint as SetConstraintMessage,
} from '../../../gen/runmachine/common/v1/constraint_pb.ts';
import type {
  DistanceConstraint as DistanceMessage,
  RequestGroup as RequestGroupMessage,
  ResourceRequest as ResourceMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import {
  type DistanceConstraint,
  type DistanceFrom,
  keyOf,
  type PropertyConstraint,
  type PropertyItem,
  type RequestGroup,
  type ResourceRequest,
  type SetConstraint,
} from '../domain/claim.ts';
import { MAIN_GROUP } from '../domain/request-check.ts';
import { askedPropertyOf } from '../property-message.ts';

export const requestGroupOf = (group: RequestGroupMessage): RequestGroup => ({
  name: nameOf(group.name),
  resources: group.resources.map(resourceOf),
  capabilities: group.capabilities.map(constraintOf),
  providerGroups: lowered(constraintOf(group.providerGroups)),
  tags: constraintOf(group.tags),
  providers: group.providers.map(keyOf),
  isolateFrom: group.isolateFrom.map(nameOf),
  ...(hasItems(group.properties) && { properties: propertiesOf(group.properties) }),
  ...(group.distances.length > 0 && { distances: group.distances.map(distanceOf) }),
  ...(group.inTree !== '' && { inTree: keyOf(group.inTree) }),
  ...(group.multipleProviders && { multipleProviders: true }),
  ...(group.sameSubtree.length > 0 && { sameSubtree: group.sameSubtree.map(nameOf) }),
  ...(group.isolateFromConsumers.length > 0 && {
    isolateFromConsumers: group.isolateFromConsumers.map(keyOf),
  }),
});

const nameOf = (name: string): string => (name === '' ? MAIN_GROUP : name);

const resourceOf = ({
  resourceType,
  amount,
  minAmount,
  capabilities,
}: ResourceMessage): ResourceRequest => ({
  resourceType,
  amount: Number(amount),
  ...(minAmount > 0n && { minAmount: Number(minAmount) }),
  ...(capabilities.length > 0 && { capabilities: capabilities.map(constraintOf) }),
});

const constraintOf = (constraint: SetConstraintMessage | undefined): SetConstraint => ({
  require: constraint?.require ?? [],
  forbid: constraint?.forbid ?? [],
  any: constraint?.any ?? [],
});

/** Ids are compared without regard to case. */
const lowered = (constraint: SetConstraint): SetConstraint => ({
  require: constraint.require.map(keyOf),
  forbid: constraint.forbid.map(keyOf),
  any: constraint.any.map(keyOf),
});

const hasItems = (
  constraint: PropertyConstraintMessage | undefined,
): constraint is PropertyConstraintMessage => {
  if (constraint === undefined) return false;
  const { requireItems, forbidItems, anyItems, requireKeys, forbidKeys, anyKeys } = constraint;
  const lists = [requireItems, forbidItems, anyItems, requireKeys, forbidKeys, anyKeys];
  return lists.some((list) => list.length > 0);
};

const propertiesOf = (constraint: PropertyConstraintMessage): PropertyConstraint => ({
  requireItems: constraint.requireItems.map(itemOf),
  forbidItems: constraint.forbidItems.map(itemOf),
  anyItems: constraint.anyItems.map(itemOf),
  requireKeys: constraint.requireKeys,
  forbidKeys: constraint.forbidKeys,
  anyKeys: constraint.anyKeys,
});

const itemOf = ({ key, value }: PropertyItemMessage): PropertyItem => ({
  key,
  value: askedPropertyOf(value),
});

const distanceOf = ({ type, from, minimum, maximum }: DistanceMessage): DistanceConstraint => ({
  type,
  from: fromOf(from),
  ...(minimum !== '' && { minimum }),
  ...(maximum !== '' && { maximum }),
});

const fromOf = (from: DistanceMessage['from']): DistanceFrom => {
  switch (from.case) {
    case 'provider':
      return { kind: 'provider', uid: keyOf(from.value) };
    case 'requestGroup':
      return { kind: 'request-group', name: nameOf(from.value) };
    case 'consumer':
      return { kind: 'consumer', uid: keyOf(from.value) };
    default:
      // The contract's rules demand one of them.
      return { kind: 'provider-group', id: keyOf(from.value ?? '') };
  }
};
