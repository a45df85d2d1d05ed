/**
 * Reads a BatchCreateClaimsRequest, whose fields are all texts or messages. Most of its items ask
 * for the same: one claim is read for those that follow each other and are equal byte for byte, and
 * nobody changes what was asked.
 */
import { type DescField, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type Claim, ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BatchClaim,
  BatchClaimSchema,
  type BatchCreateClaimsRequest,
  BatchCreateClaimsRequestSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';

type Read = { readonly bytes: Uint8Array; readonly claim: Claim };

/** The same message as fromBinary reads; throws what it throws. */
export const readBatchRequest = (bytes: Uint8Array): BatchCreateClaimsRequest => {
  try {
    return inParts(bytes) ?? fromBinary(BatchCreateClaimsRequestSchema, bytes);
  } catch {
    // A field that goes beyond its message, or worse: it is read in the one way that counts.
    return fromBinary(BatchCreateClaimsRequestSchema, bytes);
  }
};

const inParts = (bytes: Uint8Array): BatchCreateClaimsRequest | undefined => {
  const { claims } = BatchCreateClaimsRequestSchema.field;
  const parts = partsOf(bytes, BatchCreateClaimsRequestSchema, claims);
  if (parts === undefined) return undefined;
  const request = fromBinary(BatchCreateClaimsRequestSchema, parts.rest);
  request.claims = parts.fields.map(itemReader());
  return request;
};

const itemReader = (): ((bytes: Uint8Array) => BatchClaim) => {
  let last: Read | undefined;
  return (bytes) => {
    const parts = partsOf(bytes, BatchClaimSchema, BatchClaimSchema.field.claim);
    const [claimBytes, another] = parts?.fields ?? [];
    // Several are one in pieces.
    if (parts === undefined || claimBytes === undefined || another !== undefined) {
      return fromBinary(BatchClaimSchema, bytes);
    }
    if (last === undefined || Buffer.compare(last.bytes, claimBytes) !== 0) {
      last = { bytes: claimBytes, claim: fromBinary(ClaimSchema, claimBytes) };
    }
    const item = fromBinary(BatchClaimSchema, parts.rest);
    item.claim = last.claim;
    return item;
  };
};

type Parts = {
  /** What each field of that number holds. */
  readonly fields: readonly Uint8Array[];
  /** The message without them. */
  readonly rest: Uint8Array;
};

/** undefined = a field is not encoded as it should be, and who reads it may make anything of it. */
const partsOf = (
  message: Uint8Array,
  desc: DescMessage,
  { number }: DescField,
): Parts | undefined => {
  const reader = new BinaryReader(message);
  const fields: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [no, wireType] = reader.tag();
    const isKnown = desc.fields.some((field) => field.number === no);
    if (isKnown && wireType !== WireType.LengthDelimited) return undefined;
    if (no === number) fields.push(reader.bytes());
    else {
      reader.skip(wireType, no);
      rest.push(message.subarray(start, reader.pos));
    }
  }
  const [only, another] = rest;
  return { fields, rest: only !== undefined && another === undefined ? only : Buffer.concat(rest) };
};
