/** From a CreateClaim request to what the domain decides. */
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import type { SetConstraint as SetConstraintMessage } from '../../../gen/runmachine/common/v1/constraint_pb.ts';
import type { PropertyValue } from '../../../gen/runmachine/common/v1/property_pb.ts';
import {
  type ClaimSpec as ClaimSpecMessage,
  Ranking as RankingMessage,
  type RequestGroup as RequestGroupMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type { CreateClaimRequest } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { type DomainError, invalidArgument } from '../../runtime/errors.ts';
import { keyOf, type Property, type Ranking, type RequestGroup } from '../domain/claim.ts';
import type { Draft } from '../domain/command.ts';
import { MAIN_GROUP, violationsOf } from '../domain/request-check.ts';

type Place = { readonly uid: string; readonly project: string };

/** Errors: invalid_argument INVALID_FIELD with every field that is wrong. */
export const draftOf = (request: CreateClaimRequest, { uid, project }: Place): Draft => {
  const { claimId, claim } = request;
  const spec = claim?.spec;
  if (spec === undefined) throw invalidField('claim.spec', 'must say what is wanted');
  if (spec.parentClaim !== '') {
    throw invalidField('claim.spec.parent_claim', 'claims inside claims are not served yet');
  }
  const groups = spec.groups.map(groupOf);
  const violations = violationsOf(groups);
  if (violations.length > 0) {
    const [first] = violations;
    const message = `${first?.field}: ${first?.description}`;
    throw invalidArgument('INVALID_FIELD', message, { violations });
  }
  return {
    uid,
    project,
    claimId,
    ancestors: [],
    tags: claim?.tags ?? [],
    properties: Object.fromEntries(
      Object.entries(claim?.properties ?? {}).map(([key, value]) => [key, propertyOf(value)]),
    ),
    spec: { ...windowOf(spec), groups, ...consumerOf(spec), ...amountOf(spec) },
  };
};

export const invalidField = (field: string, description: string): DomainError =>
  invalidArgument('INVALID_FIELD', `${field} ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });

const groupOf = (group: RequestGroupMessage): RequestGroup => ({
  name: nameOf(group.name),
  resources: group.resources.map(({ resourceType, amount }) => ({
    resourceType,
    amount: Number(amount),
  })),
  capabilities: group.capabilities.map(constraintOf),
  providerGroups: constraintOf(group.providerGroups),
  tags: constraintOf(group.tags),
  providers: group.providers.map(keyOf),
  isolateFrom: group.isolateFrom.map(nameOf),
});

const nameOf = (name: string): string => (name === '' ? MAIN_GROUP : name);

const constraintOf = (constraint: SetConstraintMessage | undefined) => ({
  require: constraint?.require ?? [],
  forbid: constraint?.forbid ?? [],
  any: constraint?.any ?? [],
});

const windowOf = ({ acquireTime, releaseTime }: ClaimSpecMessage) => ({
  acquireMs: momentOf(acquireTime, 'acquire_time'),
  releaseMs: momentOf(releaseTime, 'release_time'),
});

/** The end of the year 9999, which the contract's JSON cannot say more than. */
const LAST_MS = 253_402_300_799_999;

const momentOf = (time: Timestamp | undefined, field: string): number | undefined => {
  if (time === undefined) return undefined;
  const ms = timestampMs(time);
  if (ms >= 0 && ms <= LAST_MS) return ms;
  throw invalidField(`claim.spec.${field}`, 'must lie between the years 1970 and 9999');
};

const consumerOf = ({ consumer }: ClaimSpecMessage) => ({
  consumer:
    consumer === undefined
      ? undefined
      : { type: consumer.type, uid: keyOf(consumer.uid), name: consumer.name },
});

const RANKINGS: ReadonlyMap<RankingMessage, Ranking> = new Map<RankingMessage, Ranking>([
  [RankingMessage.PACK, 'pack'],
  [RankingMessage.SPREAD, 'spread'],
  [RankingMessage.RANDOM, 'random'],
  [RankingMessage.CLOSEST, 'closest'],
]);

const amountOf = ({ count, ranking }: ClaimSpecMessage) => ({
  count: count === 0 ? 1 : count,
  ranking: RANKINGS.get(ranking) ?? 'pack',
});

const propertyOf = ({ kind }: PropertyValue): Property => {
  switch (kind.case) {
    case 'integerValue':
      return { kind: 'integer', value: String(kind.value) };
    case 'numberValue':
      return { kind: 'number', value: String(kind.value) };
    case 'boolValue':
      return { kind: 'bool', value: kind.value };
    case 'stringList':
      return { kind: 'strings', value: kind.value.values };
    default:
      return { kind: 'string', value: kind.value ?? '' };
  }
};
