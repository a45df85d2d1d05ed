/** What became of an item of a batch, in the words in which its own call would have answered. */
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { StatusSchema } from '../../../gen/google/rpc/status_pb.ts';
import {
  type FieldChange,
  type ProviderUpsertResult,
  ProviderUpsertResultSchema,
  UpsertOutcome,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { DomainError } from '../../runtime/errors.ts';
import { toConnectError } from '../../runtime/rpc/error-mapping.ts';

export type Result = ProviderUpsertResult;

const OUTCOMES = {
  created: UpsertOutcome.CREATED,
  updated: UpsertOutcome.UPDATED,
  unchanged: UpsertOutcome.UNCHANGED,
} as const;

export const resultOf = (
  name: string,
  outcome: keyof typeof OUTCOMES,
  changes: readonly FieldChange[] = [],
): Result =>
  create(ProviderUpsertResultSchema, {
    name,
    outcome: OUTCOMES[outcome],
    changes: [...changes],
  });

export const failed = (name: string, error: DomainError): Result => {
  const { code, rawMessage, details } = toConnectError(error);
  return create(ProviderUpsertResultSchema, {
    name,
    outcome: UpsertOutcome.FAILED,
    error: create(StatusSchema, {
      code,
      message: rawMessage,
      details: details.flatMap((detail) =>
        'desc' in detail ? [anyPack(detail.desc, create(detail.desc, detail.value))] : [],
      ),
    }),
  });
};
