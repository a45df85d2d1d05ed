import { createClient } from '@connectrpc/connect';
import { ProviderService } from '../../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { inPartition, partitionParent } from '../../resource-names.ts';
import { showTimeline } from '../object-timeline.ts';

/** Events of providers belong to no project; who may not see providers is shown none. */
export const timeline: Command = {
  summary: 'show what happened to a provider, oldest first',
  positionals: [{ name: 'name', help: 'name or uid of the provider' }],
  run: async (context, args) => {
    const client = createClient(ProviderService, context.transport());
    const name = inPartition(context.settings, 'providers', args.positional('name'));
    const { provider } = await client.getProvider({ name }, callOptions(context));
    const parent = `${partitionParent(context.settings)}/projects/-`;
    await showTimeline(context, { parent, targetUid: provider?.uid ?? '' });
    return undefined;
  },
};
