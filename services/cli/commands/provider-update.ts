import { createClient } from '@connectrpc/connect';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { showOne } from '../output.ts';
import { PROVIDER_OPTIONS, parseInventories, parsePools } from '../provider-options.ts';
import { UsageError } from '../usage-error.ts';
import { providerNoun } from './provider.ts';

/** Each given option replaces the whole list that it names. */
export const update: Command = {
  summary: 'change what a provider offers and is; a given list replaces the present one',
  positionals: [{ name: 'name', help: 'name or uid of the provider' }],
  options: {
    ...PROVIDER_OPTIONS,
    tag: { type: 'string', multiple: true, value: 'TEXT', help: 'a tag' },
  },
  run: async (context, args) => {
    const paths = [
      ...(args.strings('capability').length ? ['spec.capabilities'] : []),
      ...(args.strings('group').length ? ['spec.groups'] : []),
      ...(args.strings('inventory').length ? ['spec.inventories'] : []),
      ...(args.strings('agent').length ? ['spec.agent_pools'] : []),
      ...(args.strings('tag').length ? ['tags'] : []),
    ];
    if (paths.length === 0) throw new UsageError('nothing to change', 'see --help');
    const client = createClient(ProviderService, context.transport());
    const name = providerNoun.fullName(context, args.positional('name'));
    const current = (await client.getProvider({ name }, callOptions(context))).provider;
    const answer = await client.updateProvider(
      {
        provider: {
          name,
          etag: current?.etag ?? '',
          tags: [...args.strings('tag')],
          spec: {
            ...(current?.spec ? { type: current.spec.type } : {}),
            capabilities: [...args.strings('capability')],
            groups: [...args.strings('group')],
            inventories: parseInventories(args),
            agentPools: parsePools(context, args),
          },
        },
        updateMask: { paths },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (answer.provider) {
      const provider = answer.provider;
      const people = () => providerNoun.people(provider, context);
      await showOne(context.output, providerNoun, { message: provider, people });
    }
    return undefined;
  },
};
