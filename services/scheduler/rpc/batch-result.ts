/** What became of one item of a batch, in the words in which its own call would have answered. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { StatusSchema } from '../../../gen/google/rpc/status_pb.ts';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { BatchClaimResultSchema } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { toConnectError } from '../../runtime/rpc/error-mapping.ts';

type Result = MessageInitShape<typeof BatchClaimResultSchema>;

/** What nobody expected fails the whole call. */
export const batchResult = (settled: PromiseSettledResult<Claim | undefined>): Result => {
  if (settled.status === 'fulfilled') {
    const { value } = settled;
    return value === undefined ? {} : { result: { case: 'claim', value } };
  }
  const { reason } = settled;
  if (!isDomainError(reason) || reason.kind === 'internal') throw reason;
  const { code, rawMessage, details } = toConnectError(reason);
  const value = create(StatusSchema, {
    code,
    message: rawMessage,
    details: details.flatMap((detail) =>
      'desc' in detail ? [anyPack(detail.desc, create(detail.desc, detail.value))] : [],
    ),
  });
  return { result: { case: 'error', value } };
};
