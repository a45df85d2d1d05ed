import { createClient } from '@connectrpc/connect';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
  ProviderTypeSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { formatSizeBytes } from '../format/size.ts';
import { formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { PROVIDER_OPTIONS, parseInventories, parsePools } from '../provider-options.ts';
import { readDocument } from '../read-document.ts';
import { inPartition, lastSegment, newId, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const total = (provider: Provider, resourceType: string): bigint =>
  provider.spec?.inventories.find((one) => one.resourceType === resourceType)?.total ?? 0n;

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
    { title: 'CPUS', value: (provider) => String(total(provider, 'runm.cpu.shared') || '-') },
    { title: 'MEMORY', value: (provider) => formatSizeBytes(total(provider, 'runm.memory')) },
    { title: 'DISK', value: (provider) => formatSizeBytes(total(provider, 'runm.storage.block')) },
    { title: 'GROUPS', value: (provider) => (provider.spec?.groups ?? []).join(' ') },
    { title: 'PROBLEM', value: (provider) => provider.status?.problem?.reason ?? '' },
  ],
  people: (provider) =>
    formatFields([
      ['name', provider.name],
      ['uid', provider.uid],
      ['type', enumWord(ProviderTypeSchema, provider.spec?.type ?? ProviderType.UNSPECIFIED)],
      ['capabilities', (provider.spec?.capabilities ?? []).join(' ')],
      ['groups', (provider.spec?.groups ?? []).join(' ')],
      ...(provider.spec?.inventories ?? []).map((one): [string, string] => [
        one.resourceType,
        `${one.total} (${one.reserved} kept back,` +
          ` ratio ${(one.allocationRatioMilli || 1000) / 1000})`,
      ]),
      ...(provider.spec?.agentPools ?? []).map((pool): [string, string] => [
        `agents for ${pool.role}`,
        pool.agents.map(lastSegment).join(' '),
      ]),
      ['problem', provider.status?.problem?.message ?? ''],
      ['tags', provider.tags.join(' ')],
      ['created', formatLocalTime(provider.createTime)],
    ]),
};

export const get = getCommand(providerNoun, async (context, name) => {
  const client = createClient(ProviderService, context.transport());
  return (await client.getProvider({ name }, callOptions(context))).provider;
});

export const list = listCommand(providerNoun, async (context, page) => {
  const client = createClient(ProviderService, context.transport());
  const parent = partitionParent(context.settings);
  const answer = await client.listProviders({ parent, ...page }, callOptions(context));
  return { rows: answer.providers, nextPageToken: answer.nextPageToken };
});

const TYPES: Readonly<Record<string, ProviderType>> = {
  metal: ProviderType.BARE_METAL,
  'vm-host': ProviderType.VM_HOST,
  'storage-pool': ProviderType.STORAGE_POOL,
  cloud: ProviderType.CLOUD,
  device: ProviderType.DEVICE,
};

export const create: Command = {
  summary: 'record a provider',
  positionals: [{ name: 'name', help: 'name of the new provider' }],
  options: {
    type: { type: 'string', value: 'KIND', help: Object.keys(TYPES).join(', ') },
    file: { type: 'string', short: 'f', value: 'FILE', help: 'a provider as YAML or JSON' },
    ...PROVIDER_OPTIONS,
  },
  run: async (context, args) => {
    const [file, typeText] = [args.string('file'), args.string('type')];
    const base = file ? await readDocument(context, ProviderSchema, file) : undefined;
    const type = typeText === undefined ? base?.spec?.type : TYPES[typeText];
    if (type === undefined) {
      throw new UsageError(
        '--type is missing or unknown',
        `one of ${Object.keys(TYPES).join(', ')}`,
      );
    }
    const { $typeName: _, ...declared } = base?.spec ?? { $typeName: '' };
    const client = createClient(ProviderService, context.transport());
    const answer = await client.createProvider(
      {
        parent: partitionParent(context.settings),
        providerId: newId(args.positional('name')),
        provider: {
          ...(base ? { tags: base.tags, properties: base.properties } : {}),
          spec: {
            ...declared,
            type,
            capabilities: [...(base?.spec?.capabilities ?? []), ...args.strings('capability')],
            groups: [...(base?.spec?.groups ?? []), ...args.strings('group')],
            inventories: [...(base?.spec?.inventories ?? []), ...parseInventories(args)],
            agentPools: [...(base?.spec?.agentPools ?? []), ...parsePools(context, args)],
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

export const remove = deleteCommand(providerNoun, async (context, request) => {
  const client = createClient(ProviderService, context.transport());
  await client.deleteProvider(request, callOptions(context));
});
