/**
 * Reads a BatchCreateClaimsRequest. Most of its items ask for the same: one claim is read for those
 * that follow each other and are equal byte for byte, and nobody changes what was asked.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type Claim, ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BatchClaim,
  BatchClaimSchema,
  type BatchCreateClaimsRequest,
  BatchCreateClaimsRequestSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';

type Read = { readonly bytes: Uint8Array; readonly claim: Claim };

/** Throws what fromBinary throws for bytes that are no such message. */
export const readBatchRequest = (bytes: Uint8Array): BatchCreateClaimsRequest => {
  const { fields, rest } = partsOf(bytes, BatchCreateClaimsRequestSchema.field.claims.number);
  const request = fromBinary(BatchCreateClaimsRequestSchema, rest);
  let last: Read | undefined;
  const readItem = (item: Uint8Array): BatchClaim => {
    const parts = partsOf(item, BatchClaimSchema.field.claim.number);
    const [claimBytes, another] = parts.fields;
    // Several are one in parts.
    if (claimBytes === undefined || another !== undefined)
      return fromBinary(BatchClaimSchema, item);
    if (last === undefined || Buffer.compare(last.bytes, claimBytes) !== 0) {
      last = { bytes: claimBytes, claim: fromBinary(ClaimSchema, claimBytes) };
    }
    const read = fromBinary(BatchClaimSchema, parts.rest);
    read.claim = last.claim;
    return read;
  };
  request.claims = fields.map(readItem);
  return request;
};

type Parts = {
  /** What each field of that number holds. */
  readonly fields: readonly Uint8Array[];
  /** The message without them. */
  readonly rest: Uint8Array;
};

const partsOf = (message: Uint8Array, number: number): Parts => {
  const reader = new BinaryReader(message);
  const fields: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [no, wireType] = reader.tag();
    const isField = no === number && wireType === WireType.LengthDelimited;
    if (isField) fields.push(reader.bytes());
    else {
      reader.skip(wireType, no);
      rest.push(message.subarray(start, reader.pos));
    }
  }
  const [only, another] = rest;
  return { fields, rest: only !== undefined && another === undefined ? only : Buffer.concat(rest) };
};
