import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import {
  type ProviderGroup,
  ProviderGroupSchema,
  type ProviderGroupSpec,
  ProviderGroupSpecSchema,
  ProviderGroupStatusSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { type GroupRecord, groupName } from '../domain/records.ts';
import type { RpcDeps } from './deps.ts';
import { headFields } from './named.ts';

/** A group with what is counted elsewhere. */
export type CountedGroup = GroupRecord & { readonly members: number };

export const counted = async (
  { records }: RpcDeps,
  reader: Reader,
  groups: readonly GroupRecord[],
): Promise<readonly CountedGroup[]> => {
  const members = await records.groups.countMembers(reader, groups);
  return groups.map((group) => ({ ...group, members: members.get(group.uid) ?? 0 }));
};

export const showGroup = (deps: RpcDeps, group: CountedGroup): ProviderGroup =>
  create(ProviderGroupSchema, {
    ...storedGroup(group),
    ...headFields(deps, group),
    name: groupName(group),
    status: create(ProviderGroupStatusSchema, { members: group.members }),
  });

/** The stored document: what callers declare, nothing that is derived. */
export const groupDoc = ({ spec, properties, tags }: ProviderGroup): string =>
  toJsonString(
    ProviderGroupSchema,
    create(ProviderGroupSchema, { ...(spec ? { spec } : {}), properties, tags }),
  );

export const storedGroup = ({ doc }: GroupRecord): ProviderGroup =>
  fromJsonString(ProviderGroupSchema, doc, { ignoreUnknownFields: true });

export const groupSpecOf = ({ spec }: ProviderGroup): ProviderGroupSpec =>
  spec ?? create(ProviderGroupSpecSchema);
