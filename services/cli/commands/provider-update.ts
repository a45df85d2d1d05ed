import { createClient } from '@connectrpc/connect';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Args, Command } from '../command.ts';
import { showOne } from '../output.ts';
import { PROPERTY_OPTIONS, propertyChangesIfAny } from '../property-options.ts';
import {
  PROVIDER_OPTIONS,
  parseDistances,
  parseInventories,
  parseNeverProvision,
  parseParent,
  parsePools,
} from '../provider-options.ts';
import { UsageError } from '../usage-error.ts';
import { providerNoun } from './provider.ts';

/**
 * A given capability, group, inventory, distance or agent replaces the whole list of its kind;
 * "none" empties it.
 */
export const update: Command = {
  summary: 'change what a provider offers and is; a given list replaces the present one',
  positionals: [{ name: 'name', help: 'name or uid of the provider' }],
  options: {
    ...PROVIDER_OPTIONS,
    ...PROPERTY_OPTIONS,
  },
  examples: [
    'runm provider update r1 --group rack1 --group feed-a',
    'runm provider update r1 --group none',
  ],
  run: async (context, typed) => {
    const args = withoutNone(typed);
    const parentProvider = parseParent(context, args);
    const neverProvision = parseNeverProvision(args);
    const ownPaths = [
      ...(typed.strings('capability').length ? ['spec.capabilities'] : []),
      ...(typed.strings('group').length ? ['spec.groups'] : []),
      ...(typed.strings('inventory').length ? ['spec.inventories'] : []),
      ...(typed.strings('agent').length ? ['spec.agent_pools'] : []),
      ...(typed.strings('distance').length ? ['spec.distances'] : []),
      ...(parentProvider === undefined ? [] : ['spec.parent_provider']),
      ...(neverProvision === undefined ? [] : ['spec.never_provision']),
    ];
    const client = createClient(ProviderService, context.transport());
    const name = providerNoun.fullName(context, args.positional('name'));
    const current = (await client.getProvider({ name }, callOptions(context))).provider;
    const present = { tags: current?.tags ?? [], properties: current?.properties ?? {} };
    const changed = propertyChangesIfAny(typed, present);
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
            neverProvision: neverProvision ?? false,
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

/** The lists as they are to be: empty where "none" was said, which nothing can stand beside. */
const withoutNone = (typed: Args): Args => ({
  ...typed,
  strings: (name) => {
    const given = typed.strings(name);
    if (!given.includes('none')) return given;
    if (given.length === 1) return [];
    throw new UsageError(`--${name}: none and ${given.length - 1} more`, 'either none or a list');
  },
});
