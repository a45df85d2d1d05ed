import { create as message } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import {
  type ProviderGroup,
  type ProviderGroupSpec,
  ProviderGroupSpecSchema,
} from '../../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderGroupService } from '../../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Command, Context, Option } from '../../command.ts';
import { DISTANCE_OPTION, parseDistanceTo } from '../../distance-to.ts';
import { GROUP_KIND_WORDS, parseGroupKind } from '../../format/group-kind.ts';
import { providerUids } from '../../object-uids.ts';
import { showOne } from '../../output.ts';
import { PROPERTY_OPTIONS, propertyChangesIfAny } from '../../property-options.ts';
import { lastSegment, newId, partitionParent } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { groupNoun } from './noun.ts';

const OPTIONS: Readonly<Record<string, Option>> = {
  kind: { type: 'string', value: 'KIND', help: GROUP_KIND_WORDS },
  parent: { type: 'string', value: 'ID', help: 'group in which it lies; none' },
  description: { type: 'string', value: 'TEXT', help: 'what it is for' },
  share: {
    type: 'string',
    multiple: true,
    value: 'PROVIDER',
    help: 'provider that all members may use, for example a storage pool; none',
  },
  distance: { ...DISTANCE_OPTION, help: `${DISTANCE_OPTION.help}; none` },
};

const clientOf = (context: Context) => createClient(ProviderGroupService, context.transport());

/** The fields that were given, and their paths. A given list replaces the present one. */
const givenSpec = async (context: Context, args: Args) => {
  const kind = args.string('kind');
  const parent = args.string('parent');
  const description = args.string('description');
  const [share, distance] = [args.strings('share'), args.strings('distance')];
  const spec: Partial<Omit<ProviderGroupSpec, '$typeName'>> = {
    ...(kind !== undefined && { kind: parseGroupKind(kind, '--kind') }),
    ...(parent !== undefined && { parentGroup: parent === 'none' ? '' : lastSegment(parent) }),
    ...(description !== undefined && { description }),
    ...(share.length > 0 && { sharedProviders: await providerUids(context, listed(share)) }),
    ...(distance.length > 0 && { distances: listed(distance).map(parseDistanceTo) }),
  };
  const paths = Object.keys(spec).map((key) => `spec.${PATHS[key] ?? key}`);
  return { spec, paths };
};

const PATHS: Readonly<Record<string, string>> = {
  parentGroup: 'parent_group',
  sharedProviders: 'shared_providers',
};

const listed = (texts: readonly string[]): readonly string[] =>
  texts.length === 1 && texts[0] === 'none' ? [] : texts;

export const create: Command = {
  summary: 'create a group of providers',
  positionals: [{ name: 'name', help: 'name of the new group' }],
  options: {
    ...OPTIONS,
    tag: PROPERTY_OPTIONS.tag ?? { type: 'string', help: '' },
    property: PROPERTY_OPTIONS.property ?? { type: 'string', help: '' },
  },
  examples: [
    'runm group create row1 --kind row',
    'runm group create rack1 --kind rack --parent row1 --distance "network=same-site to rack9"',
  ],
  run: async (context, args) => {
    const { spec } = await givenSpec(context, args);
    if (spec.kind === undefined) {
      throw new UsageError('--kind is missing', `one of ${GROUP_KIND_WORDS}`);
    }
    const { tags, properties } = propertyChangesIfAny(args, { tags: [], properties: {} });
    const request = {
      parent: partitionParent(context.settings),
      groupId: newId(args.positional('name')),
      group: { spec: message(ProviderGroupSpecSchema, spec), tags, properties },
      requestId: context.random.requestId(),
    };
    const { group } = await clientOf(context).createProviderGroup(request, callOptions(context));
    if (!group) return undefined;
    const people = () => `created ${group.name}`;
    await showOne(context.output, groupNoun, { message: group, people });
    if (context.output.mode === 'table') {
      context.output.remark(`next: runm group add ${lastSegment(group.name)} PROVIDER…`);
    }
    return undefined;
  },
};

export const update: Command = {
  summary: 'change what a group is; a given list replaces the present one',
  positionals: [{ name: 'name', help: 'name or uid of the group' }],
  options: { ...OPTIONS, ...PROPERTY_OPTIONS },
  run: async (context, args) => {
    const name = groupNoun.fullName(context, args.positional('name'));
    const { spec, paths } = await givenSpec(context, args);
    const current = (await clientOf(context).getProviderGroup({ name }, callOptions(context)))
      .group;
    const present = { tags: current?.tags ?? [], properties: current?.properties ?? {} };
    const changed = propertyChangesIfAny(args, present);
    const updateMask = { paths: [...paths, ...changed.paths] };
    if (updateMask.paths.length === 0) throw new UsageError('nothing to change', 'see --help');
    const declared = current?.spec ?? message(ProviderGroupSpecSchema, {});
    const { group } = await clientOf(context).updateProviderGroup(
      {
        group: {
          name,
          etag: current?.etag ?? '',
          spec: message(ProviderGroupSpecSchema, { ...declared, ...spec }),
          tags: changed.tags,
          properties: changed.properties,
        },
        updateMask,
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    return shownGroup(context, group, () => (group ? groupNoun.people(group, context) : ''));
  },
};

const MEMBERS: Pick<Command, 'positionals' | 'rest'> = {
  positionals: [{ name: 'name', help: 'name or uid of the group' }],
  rest: { name: 'provider', help: 'names or uids of providers' },
};

export const add: Command = {
  ...MEMBERS,
  summary: 'put providers into a group, all or nothing',
  examples: ['runm group add rack1 metal-01 metal-02'],
  run: (context, args) => changeMembers(context, args, { add: args.rest.map(lastSegment) }),
};

export const removeMembers: Command = {
  ...MEMBERS,
  summary: 'take providers out of a group, all or nothing',
  run: (context, args) => changeMembers(context, args, { remove: args.rest.map(lastSegment) }),
};

const changeMembers = async (
  context: Context,
  args: Args,
  change: { readonly add?: string[]; readonly remove?: string[] },
): Promise<undefined> => {
  const name = groupNoun.fullName(context, args.positional('name'));
  const request = { name, ...change, requestId: context.random.requestId() };
  const { group } = await clientOf(context).changeMembers(request, callOptions(context));
  const people = () => `${lastSegment(name)} has ${group?.status?.members ?? 0} members`;
  return shownGroup(context, group, people);
};

const shownGroup = async (
  context: Context,
  group: ProviderGroup | undefined,
  people: () => string,
): Promise<undefined> => {
  if (group) await showOne(context.output, groupNoun, { message: group, people });
  return undefined;
};
