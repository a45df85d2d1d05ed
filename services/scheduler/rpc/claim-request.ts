/** From a ClaimSpec, and the requests that carry one, to what the domain decides. */
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimSpec as ClaimSpecMessage,
  type Consumer as ConsumerMessage,
  Ranking as RankingMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { type DomainError, invalidArgument } from '../../runtime/errors.ts';
import { type ClaimSpec, type Consumer, keyOf, type Ranking } from '../domain/claim.ts';
import { LAST_MS } from '../domain/claim-length.ts';
import type { Draft } from '../domain/command.ts';
import { violationsOf } from '../domain/request-check.ts';
import { groupKindOf } from '../group-kind.ts';
import { askedPropertyOf } from '../property-message.ts';
import { requestGroupOf } from './request-group.ts';

export type DraftRequest = {
  readonly claimId: string;
  readonly claim?: Claim | undefined;
};

/** Errors: invalid_argument INVALID_FIELD with every field that is wrong. */
export const draftOf = (
  { claimId, claim }: DraftRequest,
  place: Pick<Draft, 'uid' | 'project' | 'ancestors' | 'isUnbounded'>,
): Draft => ({
  ...place,
  claimId,
  ...contentOf(claim),
});

/** What is asked for, under whatever name. */
export type Content = Pick<Draft, 'tags' | 'properties' | 'spec'>;

/** Errors: invalid_argument INVALID_FIELD with every field that is wrong. */
export const contentOf = (claim: Claim | undefined): Content => ({
  tags: claim?.tags ?? [],
  properties: Object.fromEntries(
    Object.entries(claim?.properties ?? {}).map(([key, value]) => [key, askedPropertyOf(value)]),
  ),
  spec: specOf(claim?.spec, 'claim.spec'),
});

/** `at` is the field that holds it. Errors: invalid_argument INVALID_FIELD. */
export const specOf = (spec: ClaimSpecMessage | undefined, at: string): Draft['spec'] => {
  if (spec === undefined) throw invalidField(at, 'must say what is wanted');
  if (spec.parentClaim !== '') {
    throw invalidField(`${at}.parent_claim`, 'claims inside claims are not served yet');
  }
  const { acquireTime, releaseTime } = spec;
  const made: Draft['spec'] = {
    consumer: spec.consumer === undefined ? undefined : consumerOf(spec.consumer),
    acquireMs: acquireTime && momentOf(acquireTime, `${at}.acquire_time`),
    releaseMs: releaseTime && momentOf(releaseTime, `${at}.release_time`),
    groups: spec.groups.map(requestGroupOf),
    ...choiceOf(spec),
  };
  const violations = violationsOf(made, at);
  const [first] = violations;
  if (first === undefined) return made;
  throw invalidArgument('INVALID_FIELD', `${first.field}: ${first.description}`, {
    metadata: { field: first.field },
    violations,
  });
};

export const invalidField = (field: string, description: string): DomainError =>
  invalidArgument('INVALID_FIELD', `${field} ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });

/** Errors: invalid_argument INVALID_FIELD. */
export const momentOf = (time: Timestamp, field: string): number => {
  const ms = timestampMs(time);
  if (ms >= 0 && ms <= LAST_MS) return ms;
  throw invalidField(field, 'must lie between the years 1970 and 9999');
};

export const consumerOf = ({ type, uid, name }: ConsumerMessage): Consumer => ({
  type,
  uid: keyOf(uid),
  name,
});

const RANKINGS: ReadonlyMap<RankingMessage, Ranking> = new Map<RankingMessage, Ranking>([
  [RankingMessage.PACK, 'pack'],
  [RankingMessage.SPREAD, 'spread'],
  [RankingMessage.RANDOM, 'random'],
  [RankingMessage.CLOSEST, 'closest'],
]);

type Choice = Omit<ClaimSpec, 'consumer' | 'acquireMs' | 'releaseMs' | 'groups'>;

const choiceOf = (spec: ClaimSpecMessage): Choice => {
  const { rankingDistanceType, nearGroup, seed, spread } = spec;
  const groupKind = groupKindOf(spread?.groupKind);
  return {
    count: spec.count === 0 ? 1 : spec.count,
    ranking: RANKINGS.get(spec.ranking) ?? 'pack',
    ...(rankingDistanceType !== '' && { rankingDistanceType }),
    ...(nearGroup !== '' && { nearGroup: keyOf(nearGroup) }),
    ...(seed !== '' && { seed }),
    ...(groupKind !== undefined && {
      spread: { groupKind, maxPerGroup: spread?.maxPerGroup ?? 0 },
    }),
  };
};
