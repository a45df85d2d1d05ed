/** Everything declared of a partition's providers, as a file that imports to the same. */
import { create, type JsonObject, toJson } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { CapabilitySchema } from '../../../../gen/runmachine/inventory/v1/capability_pb.ts';
import { CapabilityService } from '../../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import {
  type ProviderGroup,
  ProviderGroupSchema,
} from '../../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderGroupService } from '../../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import {
  type Provider,
  ProviderSchema,
} from '../../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeSchema } from '../../../../gen/runmachine/inventory/v1/resource_type_pb.ts';
import { ResourceTypeService } from '../../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command, Context } from '../../command.ts';
import { yamlText } from '../../format/message.ts';
import { csvRows } from '../../import/csv-rows.ts';
import { allPages } from '../../pages.ts';
import { lastSegment, partitionParent } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';

export const exportProviders: Command = {
  summary: 'write everything declared of providers as a file to import',
  options: {
    format: { type: 'string', value: 'FORMAT', help: 'yaml, ndjson or csv (yaml; --json: ndjson)' },
  },
  examples: [
    'runm provider export > fleet.yaml',
    'runm provider export --format ndjson > fleet.ndjson',
    'runm provider export --format csv > fleet.csv',
  ],
  run: async (context, args) => {
    if (args.string('format') === 'csv') return exportCsv(context);
    const usual = context.output.mode === 'json' ? 'ndjson' : 'yaml';
    const text = writerOf(args.string('format') ?? usual);
    let count = 0;
    for await (const document of documentsOf(context)) {
      context.signal.throwIfAborted();
      context.output.result(text(document));
      count += 1;
    }
    context.output.remark(`${count} objects`);
    return undefined;
  },
};

const NAMED_MAX = 5;

/** A row for each group and each provider, wholes before their parts. */
const exportCsv = async (context: Context): Promise<undefined> => {
  const found: Provider[] = [];
  for await (const provider of providers(context)) found.push(provider);
  const { partition, project } = context.settings;
  const declared = { groups: inTheirOrder(await groups(context)), providers: byParents(found) };
  const { lines, cut } = csvRows(declared, { partition, project });
  for (const line of lines) context.output.result(line);
  context.output.remark(
    `${declared.groups.length} groups, ${found.length} providers; ` +
      'resource types and capabilities stand in no CSV file',
  );
  if (cut.length > 0) {
    const names = cut.slice(0, NAMED_MAX).join(', ') + (cut.length > NAMED_MAX ? ', …' : '');
    context.output.remark(
      `${cut.length} say more than its columns hold (${names}); to import them again, export yaml`,
    );
  }
  return undefined;
};

const writerOf = (format: string): ((document: JsonObject) => string) => {
  if (format === 'ndjson') return (document) => JSON.stringify(document);
  if (format === 'yaml') return (document) => `---\n${yamlText(document)}`;
  throw new UsageError(`--format: "${format}" is no format`, 'yaml, ndjson or csv');
};

/** In an order in which each names only what stands before it. */
async function* documentsOf(context: Context): AsyncGenerator<JsonObject, void, void> {
  yield* resourceTypes(context);
  yield* capabilities(context);
  for (const group of inTheirOrder(await groups(context))) {
    yield documentOf('Group', group.name, toJson(ProviderGroupSchema, await named(context, group)));
  }
  const parts: Provider[] = [];
  for await (const provider of providers(context)) {
    if ((provider.spec?.parentProvider ?? '') === '') yield providerDocument(provider);
    else parts.push(provider);
  }
  for (const part of byParents(parts)) yield providerDocument(part);
}

const PAGE_SIZE = 1_000;

/** Those of ours are there everywhere. */
const OURS = 'resourceTypes/runm.';

async function* resourceTypes(context: Context): AsyncGenerator<JsonObject, void, void> {
  const client = createClient(ResourceTypeService, context.transport());
  const rows = await allPages(async (pageToken) => {
    const page = { pageToken, pageSize: PAGE_SIZE };
    const answer = await client.listResourceTypes(page, callOptions(context));
    return { rows: answer.resourceTypes, nextPageToken: answer.nextPageToken };
  });
  for (const { name, spec } of rows.filter((one) => !one.name.startsWith(OURS))) {
    const declared = create(ResourceTypeSchema, { ...(spec && { spec }) });
    yield documentOf('ResourceType', name, toJson(ResourceTypeSchema, declared));
  }
}

async function* capabilities(context: Context): AsyncGenerator<JsonObject, void, void> {
  const client = createClient(CapabilityService, context.transport());
  const rows = await allPages(async (pageToken) => {
    const page = { pageToken, pageSize: PAGE_SIZE };
    const answer = await client.listCapabilities(page, callOptions(context));
    return { rows: answer.capabilities, nextPageToken: answer.nextPageToken };
  });
  for (const { name, spec } of rows) {
    const declared = create(CapabilitySchema, { ...(spec && { spec }) });
    yield documentOf('Capability', name, toJson(CapabilitySchema, declared));
  }
}

const groups = (context: Context): Promise<ProviderGroup[]> => {
  const client = createClient(ProviderGroupService, context.transport());
  const parent = partitionParent(context.settings);
  return allPages(async (pageToken) => {
    const page = { parent, pageToken, pageSize: PAGE_SIZE };
    const answer = await client.listProviderGroups(page, callOptions(context));
    return { rows: answer.groups, nextPageToken: answer.nextPageToken };
  });
};

/** A group stands behind the one in which it lies. */
const inTheirOrder = (all: readonly ProviderGroup[]): readonly ProviderGroup[] => {
  const byId = new Map(all.map((group) => [lastSegment(group.name).toLowerCase(), group]));
  const levelOf = (group: ProviderGroup | undefined, level = 0): number => {
    const parent = group?.spec?.parentGroup ?? '';
    return parent === '' || level > byId.size
      ? level
      : levelOf(byId.get(parent.toLowerCase()), level + 1);
  };
  const levels = new Map(all.map((group) => [group, levelOf(group)]));
  return all.toSorted((a, b) => (levels.get(a) ?? 0) - (levels.get(b) ?? 0));
};

/** What is shared is told by name: uids are others after an import elsewhere. */
const named = async (context: Context, group: ProviderGroup): Promise<ProviderGroup> => {
  const { spec, properties, tags } = group;
  const client = createClient(ProviderService, context.transport());
  const parent = partitionParent(context.settings);
  const sharedProviders: string[] = [];
  for (const uid of spec?.sharedProviders ?? []) {
    const request = { name: `${parent}/providers/${uid}` };
    const { provider } = await client.getProvider(request, callOptions(context));
    sharedProviders.push(lastSegment(provider?.name ?? uid));
  }
  return create(ProviderGroupSchema, {
    properties,
    tags,
    ...(spec && { spec: { ...spec, sharedProviders } }),
  });
};

async function* providers(context: Context): AsyncGenerator<Provider, void, void> {
  const client = createClient(ProviderService, context.transport());
  const parent = partitionParent(context.settings);
  for (let pageToken = ''; ; ) {
    const request = { parent, pageToken, pageSize: PAGE_SIZE };
    const page = await client.listProviders(request, callOptions(context));
    yield* page.providers;
    if (page.nextPageToken === '') return;
    pageToken = page.nextPageToken;
  }
}

/** Those of which others are parts before these. */
const byParents = (parts: readonly Provider[]): readonly Provider[] => {
  const byName = new Map(parts.map((part) => [part.name, part]));
  const levelOf = (part: Provider | undefined, level = 0): number =>
    part === undefined || level > parts.length
      ? level
      : levelOf(byName.get(part.spec?.parentProvider ?? ''), level + 1);
  const levels = new Map(parts.map((part) => [part, levelOf(part)]));
  return parts.toSorted((a, b) => (levels.get(a) ?? 0) - (levels.get(b) ?? 0));
};

const providerDocument = ({ name, spec, properties, tags }: Provider): JsonObject => {
  const declared = create(ProviderSchema, { ...(spec && { spec }), properties, tags });
  return documentOf('Provider', name, toJson(ProviderSchema, declared));
};

const documentOf = (kind: string, name: string, fields: ReturnType<typeof toJson>): JsonObject => ({
  kind,
  name: lastSegment(name),
  ...(typeof fields === 'object' && !Array.isArray(fields) ? fields : {}),
});
