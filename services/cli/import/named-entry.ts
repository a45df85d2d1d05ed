/** Groups, capabilities and resource types of a file: made, or changed where they differ. */
import { create, type DescMessage, equals, type MessageShape } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import {
  CapabilitySchema,
  CapabilitySpecSchema,
} from '../../../gen/runmachine/inventory/v1/capability_pb.ts';
import { CapabilityService } from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import {
  type ProviderGroup,
  ProviderGroupSchema,
  ProviderGroupSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderGroupService } from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import {
  ResourceTypeSchema,
  ResourceTypeSpecSchema,
} from '../../../gen/runmachine/inventory/v1/resource_type_pb.ts';
import { ResourceTypeService } from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Context } from '../command.ts';
import { providerUids } from '../object-uids.ts';
import type { Entry } from './entry.ts';
import { withRest } from './group-columns.ts';

export type NamedEntry = Extract<Entry, { kind: 'group' | 'capability' | 'resource type' }>;
export type Outcome = 'created' | 'updated' | 'unchanged';

type Wanted = { readonly partition: string; readonly dryRun: boolean };

/** Errors: those of the calls; a wrong one stops the import, since others refer to it. */
export const upsertNamed = (
  context: Context,
  entry: NamedEntry,
  wanted: Wanted,
): Promise<Outcome> => {
  switch (entry.kind) {
    case 'group':
      return upsertGroup(context, entry, wanted);
    case 'capability':
      return upsertCapability(context, entry, wanted);
    case 'resource type':
      return upsertResourceType(context, entry, wanted);
  }
};

type GroupEntry = Extract<NamedEntry, { kind: 'group' }>;

/** Whether it says something of things that may come behind it in the file. */
export const isForward = (entry: NamedEntry): boolean => {
  const spec = entry.kind === 'group' ? entry.group.spec : undefined;
  return spec !== undefined && spec.distances.length + spec.sharedProviders.length > 0;
};

/** Everything that it says, once everything else is there. */
export const upsertDeferred = async (
  context: Context,
  entry: NamedEntry,
  wanted: Wanted,
): Promise<void> => {
  if (entry.kind === 'group') await upsertGroup(context, entry, { ...wanted, isLast: true });
};

type GroupWanted = Wanted & {
  /** Everything of the file is there; before that, what is said of other things is left out. */
  readonly isLast?: boolean;
};

const upsertGroup = async (
  context: Context,
  entry: GroupEntry,
  { partition, dryRun: validateOnly, isLast = false }: GroupWanted,
): Promise<Outcome> => {
  const client = createClient(ProviderGroupService, context.transport());
  const [parent, options] = [`partitions/${partition}`, callOptions(context)];
  const name = `${parent}/groups/${entry.id}`;
  const found = await orUndefined(
    async () => (await client.getProviderGroup({ name }, options)).group,
  );
  const isWhole = isLast || !isForward(entry);
  const group =
    entry.paths === undefined
      ? await resolved(context, entry, found, isWhole)
      : withRest(entry.group, found, entry.paths);
  if (found !== undefined && isSameGroup(found, group) && isWhole) return 'unchanged';
  if (
    found !== undefined &&
    !isWhole &&
    isSameGroup(found, await resolved(context, entry, found, true))
  ) {
    return 'unchanged';
  }
  const refers = validateOnly && (group.spec?.parentGroup ?? '') !== '';
  const outcome = found === undefined ? 'created' : 'updated';
  // What it refers to may be about to be made as well, and then only looks wrong.
  if (refers) return outcome;
  const requestId = context.random.requestId();
  if (found === undefined) {
    const request = { parent, groupId: entry.id, group, validateOnly, requestId };
    await client.createProviderGroup(request, options);
  } else {
    const paths = [...pathsOf(ProviderGroupSpecSchema), 'properties', 'tags'];
    const changed = { ...group, name, etag: '' };
    const request = { group: changed, updateMask: { paths }, validateOnly, requestId };
    await client.updateProviderGroup(request, options);
  }
  return outcome;
};

const upsertCapability = (
  context: Context,
  { id, capability }: Extract<NamedEntry, { kind: 'capability' }>,
  { dryRun: validateOnly }: Wanted,
): Promise<Outcome> => {
  const client = createClient(CapabilityService, context.transport());
  const options = callOptions(context);
  const name = `capabilities/${id}`;
  const description = capability.spec?.description ?? '';
  return upsert({
    find: async () => (await client.getCapability({ name }, options)).capability,
    isSame: (found) =>
      equals(
        CapabilitySpecSchema,
        specOf(CapabilitySpecSchema, found.spec),
        specOf(CapabilitySpecSchema, capability.spec),
      ),
    make: () =>
      client.createCapability(
        {
          capabilityId: id,
          capability: create(CapabilitySchema, { spec: { description } }),
          validateOnly,
          requestId: context.random.requestId(),
        },
        options,
      ),
    change: () =>
      client.updateCapability(
        {
          capability: { name, spec: { description } },
          updateMask: { paths: pathsOf(CapabilitySpecSchema) },
          validateOnly,
          requestId: context.random.requestId(),
        },
        options,
      ),
  });
};

const upsertResourceType = (
  context: Context,
  { id, resourceType }: Extract<NamedEntry, { kind: 'resource type' }>,
  { dryRun: validateOnly }: Wanted,
): Promise<Outcome> => {
  const client = createClient(ResourceTypeService, context.transport());
  const options = callOptions(context);
  const name = `resourceTypes/${id}`;
  const spec = specOf(ResourceTypeSpecSchema, resourceType.spec);
  return upsert({
    find: async () => (await client.getResourceType({ name }, options)).resourceType,
    isSame: (found) =>
      equals(ResourceTypeSpecSchema, specOf(ResourceTypeSpecSchema, found.spec), spec),
    make: () =>
      client.createResourceType(
        {
          resourceTypeId: id,
          resourceType: create(ResourceTypeSchema, { spec }),
          validateOnly,
          requestId: context.random.requestId(),
        },
        options,
      ),
    change: () =>
      client.updateResourceType(
        {
          resourceType: { name, spec },
          updateMask: { paths: pathsOf(ResourceTypeSpecSchema) },
          validateOnly,
          requestId: context.random.requestId(),
        },
        options,
      ),
  });
};

/** The group as it is to be written now; providers that it shares are named by their uid there. */
const resolved = async (
  context: Context,
  { group }: GroupEntry,
  found: ProviderGroup | undefined,
  isWhole: boolean,
): Promise<ProviderGroup> => {
  const spec = specOf(ProviderGroupSpecSchema, group.spec);
  if (!isWhole) {
    const { distances = [], sharedProviders = [] } = found?.spec ?? {};
    return { ...group, spec: { ...spec, distances, sharedProviders } };
  }
  const sharedProviders = await providerUids(context, spec.sharedProviders);
  return { ...group, spec: { ...spec, sharedProviders: [...sharedProviders] } };
};

const isSameGroup = (found: ProviderGroup, wanted: ProviderGroup): boolean =>
  isSameDeclared(ProviderGroupSchema, found, wanted) &&
  equals(
    ProviderGroupSpecSchema,
    specOf(ProviderGroupSpecSchema, found.spec),
    specOf(ProviderGroupSpecSchema, wanted.spec),
  );

const orUndefined = async <T>(find: () => Promise<T | undefined>): Promise<T | undefined> => {
  try {
    return await find();
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  }
};

type Upsert<T> = {
  readonly find: () => Promise<T | undefined>;
  readonly isSame: (found: T) => boolean;
  readonly make: () => Promise<unknown>;
  readonly change: () => Promise<unknown>;
};

const upsert = async <T>({ find, isSame, make, change }: Upsert<T>): Promise<Outcome> => {
  const found = await orUndefined(find);
  if (found === undefined) {
    await make();
    return 'created';
  }
  if (isSame(found)) return 'unchanged';
  await change();
  return 'updated';
};

const pathsOf = (spec: DescMessage): string[] => spec.fields.map(({ name }) => `spec.${name}`);

const specOf = <Schema extends DescMessage>(
  schema: Schema,
  spec: MessageShape<Schema> | undefined,
): MessageShape<Schema> => spec ?? create(schema);

type Declared = Pick<MessageShape<typeof ProviderGroupSchema>, 'properties' | 'tags'>;

const isSameDeclared = (schema: typeof ProviderGroupSchema, a: Declared, b: Declared): boolean => {
  const bare = ({ properties, tags }: Declared) => create(schema, { properties, tags });
  return equals(schema, bare(a), bare(b));
};
