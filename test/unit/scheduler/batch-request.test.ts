/** A batch that is read by its parts is the message that it is. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import test from 'ava';
import fc from 'fast-check';
import {
  BatchClaimSchema,
  type BatchCreateClaimsRequest,
  BatchCreateClaimsRequestSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { readBatchRequest } from '../../../services/scheduler/rpc/batch-request.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const SCHEMA = BatchCreateClaimsRequestSchema;
const { claims, parent } = SCHEMA.field;
const { claimId, claim } = BatchClaimSchema.field;

/** Claims as they may come: of this program, of a newer one, cut off. */
const claimBytes = fc.constantFrom(
  [],
  [0x12, 1, 0x61],
  [0x4a, 2, 0x61, 0x62],
  [0x52, 2, 0x28, 3],
  [0x52, 2, 0x28, 3, 0xfa, 0x3f, 1, 1],
  [0xb8, 0x3e, 7],
  [0x52, 9, 1],
  [0x12, 1, 0xff],
);

const field = (number: number, bytes: readonly number[] | Uint8Array) =>
  new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(Uint8Array.from(bytes)).finish();

const item = fc
  .array(
    fc.oneof(
      claimBytes.map((bytes) => field(claim.number, bytes)),
      fc.constantFrom('a', 'b', 'ü').map((id) => field(claimId.number, Buffer.from(id))),
      fc.constant(Uint8Array.of(0xb8, 0x3e, 7)),
    ),
    { maxLength: 3 },
  )
  .map((parts) => field(claims.number, Buffer.concat(parts)));

const request = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: item },
      fc.constantFrom('p', 'q').map((name) => field(parent.number, Buffer.from(name))),
      fc.constant(Uint8Array.of(0xb8, 0x3e, 9)),
      fc.uint8Array({ maxLength: 4 }),
      fc.constant(Uint8Array.of(0x1d, 2, 0x61, 0x62)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));

const readBy = (
  read: (bytes: Uint8Array) => BatchCreateClaimsRequest,
  bytes: Uint8Array,
): BatchCreateClaimsRequest | 'refused' => {
  try {
    return read(bytes);
  } catch {
    return 'refused';
  }
};

test('whatever comes is read as the message that it is, or refused like it', (t) => {
  fc.assert(
    fc.property(request, (bytes) => {
      const expected = readBy((those) => fromBinary(SCHEMA, those), bytes);
      const read = readBy(readBatchRequest, bytes);
      t.deepEqual(read, expected);
      if (read === 'refused' || expected === 'refused') return;
      t.deepEqual(toBinary(SCHEMA, read), toBinary(SCHEMA, expected));
    }),
    { numRuns: propertyRuns(1_000) },
  );
});

test('items that ask for the same share what they ask for', (t) => {
  const alike = (id: string) =>
    field(
      claims.number,
      Buffer.concat([
        field(claimId.number, Buffer.from(id)),
        field(claim.number, [0x52, 2, 0x28, 3]),
      ]),
    );
  const read = readBatchRequest(Buffer.concat([alike('a'), alike('b')]));
  t.deepEqual(
    read.claims.map((one) => one.claimId),
    ['a', 'b'],
  );
  t.is(read.claims[0]?.claim, read.claims[1]?.claim);
});
