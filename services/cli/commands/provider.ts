import { createClient } from '@connectrpc/connect';
import type { Facts } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
  ProviderTypeSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { getCommand, listCommand, type Noun } from '../crud.ts';
import { describeProvider } from '../describe-provider.ts';
import { enumWord } from '../format/enum-word.ts';
import { PROVIDER_TYPE_WORDS, parseProviderType } from '../format/provider-type.ts';
import { formatSizeBytes } from '../format/size.ts';
import { showOne } from '../output.ts';
import { PROPERTY_OPTIONS, propertyChangesIfAny } from '../property-options.ts';
import {
  PROVIDER_OPTIONS,
  parseDistances,
  parseInventories,
  parseParent,
  parsePools,
} from '../provider-options.ts';
import { readDocument } from '../read-document.ts';
import { inPartition, lastSegment, newId, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const total = (provider: Provider, resourceType: string): bigint =>
  provider.spec?.inventories.find((one) => one.resourceType === resourceType)?.total ?? 0n;

/** What a server has where it is not offered in parts: as it was read, else as it was declared. */
const factsOf = (provider: Provider): Facts | undefined =>
  provider.status?.observedFacts ?? provider.spec?.facts;

const cpusText = (provider: Provider): string =>
  String(total(provider, 'runm.cpu.shared') || BigInt(factsOf(provider)?.cpuThreads ?? 0) || '-');

const memoryText = (provider: Provider): string =>
  formatSizeBytes(total(provider, 'runm.memory') || (factsOf(provider)?.memoryBytes ?? 0n));

const diskText = (provider: Provider): string => {
  const disks = factsOf(provider)?.disks ?? [];
  const seen = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n);
  return formatSizeBytes(total(provider, 'runm.storage.block') || seen);
};

export const providerNoun: Noun<typeof ProviderSchema> = {
  singular: 'provider',
  schema: ProviderSchema,
  name: (provider) => provider.name,
  fullName: (context, typed) => inPartition(context.settings, 'providers', typed),
  columns: [
    { title: 'NAME', value: (provider) => lastSegment(provider.name) },
    {
      title: 'TYPE',
      value: (provider) =>
        enumWord(ProviderTypeSchema, provider.spec?.type ?? ProviderType.UNSPECIFIED),
    },
    { title: 'CPUS', value: cpusText },
    { title: 'MEMORY', value: memoryText },
    { title: 'DISK', value: diskText },
    { title: 'GROUPS', value: (provider) => (provider.spec?.groups ?? []).join(' ') },
    { title: 'PROBLEM', value: (provider) => provider.status?.problem?.reason ?? '' },
  ],
  people: describeProvider,
};

export const get = getCommand(providerNoun, async (context, name) => {
  const client = createClient(ProviderService, context.transport());
  return (await client.getProvider({ name }, callOptions(context))).provider;
});

export const list = listCommand(
  providerNoun,
  async (context, page, args) => {
    const client = createClient(ProviderService, context.transport());
    const parent = partitionParent(context.settings);
    const type = args.string('type');
    const filter = {
      group: args.string('group') ?? '',
      capability: args.string('capability') ?? '',
      resourceType: args.string('resource-type') ?? '',
      tag: args.string('tag') ?? '',
      inTree: lastSegment(args.string('in-tree') ?? ''),
      ...(type !== undefined && { type: parseProviderType(type, '--type') }),
    };
    const answer = await client.listProviders({ parent, filter, ...page }, callOptions(context));
    return { rows: answer.providers, nextPageToken: answer.nextPageToken };
  },
  {
    group: { type: 'string', value: 'ID', help: 'in this group or one inside it' },
    capability: { type: 'string', value: 'CODE', help: 'with this capability' },
    'resource-type': { type: 'string', value: 'CODE', help: 'that offer this' },
    tag: { type: 'string', value: 'TEXT', help: 'with this tag' },
    type: { type: 'string', value: 'KIND', help: PROVIDER_TYPE_WORDS },
    'in-tree': { type: 'string', value: 'NAME', help: 'parts of this provider, and itself' },
  },
);

const { 'remove-tag': _, 'remove-property': __, ...SET_OPTIONS } = PROPERTY_OPTIONS;

export const create: Command = {
  summary: 'record a provider',
  positionals: [{ name: 'name', help: 'name of the new provider' }],
  options: {
    type: { type: 'string', value: 'KIND', help: PROVIDER_TYPE_WORDS },
    file: { type: 'string', short: 'f', value: 'FILE', help: 'a provider as YAML or JSON' },
    ...PROVIDER_OPTIONS,
    ...SET_OPTIONS,
  },
  run: async (context, args) => {
    const [file, typeText] = [args.string('file'), args.string('type')];
    const base = file ? await readDocument(context, ProviderSchema, file) : undefined;
    const type = typeText === undefined ? base?.spec?.type : parseProviderType(typeText, '--type');
    if (type === undefined) {
      throw new UsageError('--type is missing', `one of ${PROVIDER_TYPE_WORDS}`);
    }
    const parentProvider = parseParent(context, args);
    const present = { tags: base?.tags ?? [], properties: base?.properties ?? {} };
    const { tags, properties } = propertyChangesIfAny(args, present);
    const { $typeName: _, ...declared } = base?.spec ?? { $typeName: '' };
    const client = createClient(ProviderService, context.transport());
    const answer = await client.createProvider(
      {
        parent: partitionParent(context.settings),
        providerId: newId(args.positional('name')),
        provider: {
          tags,
          properties,
          spec: {
            ...declared,
            type,
            capabilities: [...(base?.spec?.capabilities ?? []), ...args.strings('capability')],
            groups: [...(base?.spec?.groups ?? []), ...args.strings('group')],
            inventories: [...(base?.spec?.inventories ?? []), ...parseInventories(args)],
            agentPools: [...(base?.spec?.agentPools ?? []), ...parsePools(context, args)],
            distances: [...(base?.spec?.distances ?? []), ...parseDistances(args)],
            ...(parentProvider !== undefined && { parentProvider }),
          },
        },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (answer.provider) {
      const provider = answer.provider;
      const people = () => `created ${provider.name}`;
      await showOne(context.output, providerNoun, { message: provider, people });
    }
    return undefined;
  },
};
