/**
 * A claim as callers see it, encoded without a message in between: the same bytes as those of
 * claimMessage. Claims are made by the thousand a second, and most ask for what others ask for too.
 */
import { create, type DescField, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import { ProblemSchema } from '../../../gen/runmachine/common/v1/problem_pb.ts';
import { PropertyValueSchema } from '../../../gen/runmachine/common/v1/property_pb.ts';
import {
  AllocationSchema,
  ClaimSchema,
  ClaimStatusSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimSpecSchema,
  ConsumerSchema,
  RequestGroupSchema,
  SpreadRuleSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import {
  allocationsOf,
  type ClaimRecord,
  type ClaimSpec,
  claimName,
  type RequestGroup,
} from '../domain/claim.ts';
import { GROUP_KIND_MESSAGES } from '../group-kind.ts';
import { type ClaimShown, ENDS, problemMessage, stateMessage } from './claim-message.ts';
import { groupMessage, propertyMessage, RANKINGS } from './spec-message.ts';

/** Writes the claim as that field of a message. */
export const writeClaim = (
  to: BinaryWriter,
  { number }: Field,
  { claim, shown }: { readonly claim: ClaimRecord; readonly shown: ClaimShown },
): void => {
  const { name, uid, etag, generation, createTime, updateTime, tags } = ClaimSchema.field;
  const isStored = shown.revision > 0n;
  to.tag(number, LENGTH).fork();
  text(to, name, claimName(claim));
  if (isStored) {
    text(to, uid, claim.uid);
    text(to, etag, etagOf(claim, shown.incarnation));
  }
  whole(to, generation, claim.generation);
  time(to, createTime, claim.createMs);
  time(to, updateTime, claim.updateMs);
  writeProperties(to, claim);
  for (const tag of claim.tags) to.tag(tags.number, LENGTH).string(tag);
  writeSpec(to, claim.spec);
  writeStatus(to, claim, shown);
  to.join();
};

type Field = Pick<DescField, 'number'>;

const LENGTH = WireType.LengthDelimited;

const text = (to: BinaryWriter, { number }: Field, value: string): void => {
  if (value !== '') to.tag(number, LENGTH).string(value);
};

/** Of any size that is exact; a negative one would need more than its bits. */
const whole = (to: BinaryWriter, { number }: Field, value: number | bigint): void => {
  if (value === 0 || value === 0n) return;
  to.tag(number, WireType.Varint);
  if (value < 2 ** 31) to.uint32(Number(value));
  else to.uint64(BigInt(value));
};

const time = (to: BinaryWriter, { number }: Field, ms: number | undefined): void => {
  if (ms === undefined) return;
  const seconds = Math.floor(ms / 1000);
  to.tag(number, LENGTH).fork();
  whole(to, SECONDS, seconds);
  whole(to, NANOS, (ms - seconds * 1000) * 1_000_000);
  to.join();
};

const { seconds: SECONDS, nanos: NANOS } = TimestampSchema.field;

const writeProperties = (to: BinaryWriter, { properties }: ClaimRecord): void => {
  for (const [key, value] of Object.entries(properties)) {
    to.tag(ClaimSchema.field.properties.number, LENGTH).fork();
    to.tag(1, LENGTH).string(key);
    const message = create(PropertyValueSchema, propertyMessage(value));
    to.tag(2, LENGTH).bytes(toBinary(PropertyValueSchema, message));
    to.join();
  }
};

const writeSpec = (to: BinaryWriter, spec: ClaimSpec): void => {
  const { consumer, acquireTime, releaseTime, count, ranking } = ClaimSpecSchema.field;
  to.tag(ClaimSchema.field.spec.number, LENGTH).fork();
  if (spec.consumer !== undefined) {
    const { type, uid, name } = ConsumerSchema.field;
    to.tag(consumer.number, LENGTH).fork();
    text(to, type, spec.consumer.type);
    text(to, uid, spec.consumer.uid);
    text(to, name, spec.consumer.name);
    to.join();
  }
  time(to, acquireTime, spec.acquireMs);
  time(to, releaseTime, spec.releaseMs);
  to.raw(groupBytes(spec.groups));
  whole(to, count, spec.count);
  whole(to, ranking, RANKINGS[spec.ranking]);
  writeChoice(to, spec);
  to.join();
};

/** What few ask for. */
const writeChoice = (to: BinaryWriter, spec: ClaimSpec): void => {
  const { rankingDistanceType, nearGroup, seed, spread } = ClaimSpecSchema.field;
  text(to, rankingDistanceType, spec.rankingDistanceType ?? '');
  text(to, nearGroup, spec.nearGroup ?? '');
  text(to, seed, spec.seed ?? '');
  if (spec.spread === undefined) return;
  const { groupKind, maxPerGroup } = SpreadRuleSchema.field;
  to.tag(spread.number, LENGTH).fork();
  whole(to, groupKind, GROUP_KIND_MESSAGES[spec.spread.groupKind]);
  whole(to, maxPerGroup, spec.spread.maxPerGroup);
  to.join();
};

const encoded = new WeakMap<readonly RequestGroup[], Uint8Array>();

/** Claims that ask for the same have one list of groups, which is never changed. */
const groupBytes = (groups: readonly RequestGroup[]): Uint8Array => {
  const before = encoded.get(groups);
  if (before !== undefined) return before;
  const writer = new BinaryWriter();
  for (const group of groups) {
    const bytes = toBinary(RequestGroupSchema, groupMessage(group));
    writer.tag(ClaimSpecSchema.field.groups.number, LENGTH).bytes(bytes);
  }
  const bytes = writer.finish();
  encoded.set(groups, bytes);
  return bytes;
};

const writeStatus = (to: BinaryWriter, claim: ClaimRecord, shown: ClaimShown): void => {
  const { state, releaseBeginTime, revision, owner, end } = ClaimStatusSchema.field;
  const { warnTime, problem, replacements } = ClaimStatusSchema.field;
  to.tag(ClaimSchema.field.status.number, LENGTH).fork();
  whole(to, state, stateMessage(claim, shown.view));
  writeAllocations(to, claim);
  time(to, releaseBeginTime, claim.releaseBeginMs);
  whole(to, revision, shown.revision);
  text(to, owner, claim.owner);
  if (claim.end !== undefined) whole(to, end, ENDS[claim.end]);
  time(to, warnTime, claim.warnMs);
  if (claim.risk !== undefined) {
    const message = create(ProblemSchema, problemMessage(claim.risk));
    to.tag(problem.number, LENGTH).bytes(toBinary(ProblemSchema, message));
  }
  whole(to, replacements, claim.replacements ?? 0);
  to.join();
};

const writeAllocations = (to: BinaryWriter, claim: ClaimRecord): void => {
  const { group, index, providerUid, provider, resourceType, amount, finishTime } =
    AllocationSchema.field;
  for (const one of allocationsOf(claim)) {
    to.tag(ClaimStatusSchema.field.allocations.number, LENGTH).fork();
    text(to, group, one.group);
    whole(to, index, one.index);
    text(to, providerUid, one.providerUid);
    text(to, provider, one.provider);
    text(to, resourceType, one.resourceType);
    whole(to, amount, one.amount);
    time(to, finishTime, one.finishMs);
    to.join();
  }
};
