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
import type { Noun } from '../crud.ts';
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
  parseNeverProvision,
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

const cpus = (provider: Provider): bigint =>
  total(provider, 'runm.cpu.shared') || BigInt(factsOf(provider)?.cpuThreads ?? 0);

const memoryBytes = (provider: Provider): bigint =>
  total(provider, 'runm.memory') || (factsOf(provider)?.memoryBytes ?? 0n);

const diskBytes = (provider: Provider): bigint => {
  const disks = factsOf(provider)?.disks ?? [];
  const seen = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n);
  return total(provider, 'runm.storage.block') || seen;
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
    { title: 'CPUS', value: (provider) => String(cpus(provider) || ''), order: cpus },
    {
      title: 'MEMORY',
      value: (provider) => formatSizeBytes(memoryBytes(provider)),
      order: memoryBytes,
    },
    { title: 'DISK', value: (provider) => formatSizeBytes(diskBytes(provider)), order: diskBytes },
    { title: 'GROUPS', value: (provider) => (provider.spec?.groups ?? []).join(' ') },
    { title: 'PROBLEM', value: (provider) => provider.status?.problem?.reason ?? '' },
  ],
  people: (provider) => describeProvider(provider),
};

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
    const neverProvision = parseNeverProvision(args);
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
            ...(neverProvision !== undefined && { neverProvision }),
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
