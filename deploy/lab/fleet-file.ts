import { type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { ProviderGroupSchema } from '../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderSchema } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { RackRecords } from './rack-records.ts';

/**
 * The rack as a file for `runm provider import -f`: a document for each group, then for each
 * provider. It names secrets and holds none.
 */
export const fleetFile = ({ groups, providers }: RackRecords): string =>
  [
    ...groups.map((one) => documentOf('Group', ProviderGroupSchema, one)),
    ...providers.map((one) => documentOf('Provider', ProviderSchema, one)),
  ].join('---\n');

const documentOf = <Schema extends DescMessage>(
  kind: string,
  schema: Schema,
  message: MessageShape<Schema>,
): string => {
  const json = toJson(schema, message);
  return stringify({ kind, ...Object(json) });
};
