import { createClient } from '@connectrpc/connect';
import { ProviderGroupService } from '../../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command, Context } from '../../command.ts';
import { deleteCommand, getCommand, listCommand } from '../../crud.ts';
import { isUid } from '../../object-uids.ts';
import { showList } from '../../output.ts';
import { lastSegment, partitionParent } from '../../resource-names.ts';
import { findProviders } from '../provider/find.ts';
import { providerNoun } from '../provider.ts';
import { groupNoun } from './noun.ts';

export const get = getCommand(groupNoun, async (context, name) => {
  const client = createClient(ProviderGroupService, context.transport());
  return (await client.getProviderGroup({ name }, callOptions(context))).group;
});

export const list = listCommand(groupNoun, async (context, page) => {
  const client = createClient(ProviderGroupService, context.transport());
  const parent = partitionParent(context.settings);
  const answer = await client.listProviderGroups({ parent, ...page }, callOptions(context));
  return { rows: answer.groups, nextPageToken: answer.nextPageToken };
});

export const remove = deleteCommand(groupNoun, async (context, request) => {
  const client = createClient(ProviderGroupService, context.transport());
  await client.deleteProviderGroup(request, callOptions(context));
});

export const members: Command = {
  summary: 'list the providers of a group, those of the groups inside it included',
  positionals: [{ name: 'name', help: 'name or uid of the group' }],
  run: async (context, args) => {
    const group = await groupId(context, args.positional('name'));
    const rows = await findProviders(context, { group });
    await showList(context.output, providerNoun, rows);
    return undefined;
  },
};

/** Providers are found by the id of their group, not by its uid. */
const groupId = async (context: Context, typed: string): Promise<string> => {
  if (!isUid(typed)) return lastSegment(typed);
  const client = createClient(ProviderGroupService, context.transport());
  const name = groupNoun.fullName(context, typed);
  return lastSegment(
    (await client.getProviderGroup({ name }, callOptions(context))).group?.name ?? '',
  );
};
