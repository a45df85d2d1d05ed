/** What became of the items of a batch, in the words in which each would have been answered. */
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type Status, StatusSchema } from '../../../gen/google/rpc/status_pb.ts';
import {
  BatchClaimResultSchema,
  type BatchCreateClaimsResponse,
  BatchCreateClaimsResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { encodedAnswer } from '../../runtime/rpc/encoded-answer.ts';
import { toConnectError } from '../../runtime/rpc/error-mapping.ts';
import type { Granted } from '../ports.ts';
import { type Answering, writeGranted } from './claim-calls.ts';

/** What nobody expected fails the whole call. */
export const batchAnswer = (
  answering: Answering,
  outcomes: readonly PromiseSettledResult<Granted>[],
): BatchCreateClaimsResponse => {
  const { claim, error } = BatchClaimResultSchema.field;
  const writer = new BinaryWriter();
  for (const outcome of outcomes) {
    writer.tag(BatchCreateClaimsResponseSchema.field.results.number, LENGTH).fork();
    if (outcome.status === 'fulfilled')
      writeGranted(writer, claim, { ...answering, granted: outcome.value });
    else writer.tag(error.number, LENGTH).bytes(toBinary(StatusSchema, statusOf(outcome.reason)));
    writer.join();
  }
  return encodedAnswer(BatchCreateClaimsResponseSchema, writer.finish());
};

const LENGTH = WireType.LengthDelimited;

const statusOf = (reason: unknown): Status => {
  if (!isDomainError(reason) || reason.kind === 'internal') throw reason;
  const { code, rawMessage, details } = toConnectError(reason);
  return create(StatusSchema, {
    code,
    message: rawMessage,
    details: details.flatMap((detail) =>
      'desc' in detail ? [anyPack(detail.desc, create(detail.desc, detail.value))] : [],
    ),
  });
};
