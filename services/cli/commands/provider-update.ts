import { createClient } from '@connectrpc/connect';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { showOne } from '../output.ts';
import { PROPERTY_OPTIONS, propertyChangesIfAny } from '../property-options.ts';
import {
  PROVIDER_OPTIONS,
  parseDistances,
  parseInventories,
  parseParent,
  parsePools,
} from '../provider-options.ts';
import { UsageError } from '../usage-error.ts';
import { providerNoun } from './provider.ts';

/** A given capability, group, inventory, distance or agent replaces the whole list of its kind. */
export const update: Command = {
  summary: 'change what a provider offers and is; a given list replaces the present one',
  positionals: [{ name: 'name', help: 'name or uid of the provider' }],
  options: {
    ...PROVIDER_OPTIONS,
    ...PROPERTY_OPTIONS,
  },
  run: async (context, args) => {
    const parentProvider = parseParent(context, args);
    const ownPaths = [
      ...(args.strings('capability').length ? ['spec.capabilities'] : []),
      ...(args.strings('group').length ? ['spec.groups'] : []),
      ...(args.strings('inventory').length ? ['spec.inventories'] : []),
      ...(args.strings('agent').length ? ['spec.agent_pools'] : []),
      ...(args.strings('distance').length ? ['spec.distances'] : []),
      ...(parentProvider === undefined ? [] : ['spec.parent_provider']),
    ];
    const client = createClient(ProviderService, context.transport());
    const name = providerNoun.fullName(context, args.positional('name'));
    const current = (await client.getProvider({ name }, callOptions(context))).provider;
    const present = { tags: current?.tags ?? [], properties: current?.properties ?? {} };
    const changed = propertyChangesIfAny(args, present);
    const paths = [...ownPaths, ...changed.paths];
    if (paths.length === 0) throw new UsageError('nothing to change', 'see --help');
    const answer = await client.updateProvider(
      {
        provider: {
          name,
          etag: current?.etag ?? '',
          tags: changed.tags,
          properties: changed.properties,
          spec: {
            ...(current?.spec ? { type: current.spec.type } : {}),
            capabilities: [...args.strings('capability')],
            groups: [...args.strings('group')],
            inventories: parseInventories(args),
            agentPools: parsePools(context, args),
            distances: parseDistances(args),
            parentProvider: parentProvider ?? '',
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
