import { createClient } from '@connectrpc/connect';
import { ResourceTypeSchema } from '../../../gen/runmachine/inventory/v1/resource_type_pb.ts';
import { ResourceTypeService } from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { atTop, lastSegment } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const noun: Noun<typeof ResourceTypeSchema> = {
  singular: 'resource type',
  schema: ResourceTypeSchema,
  name: (type) => type.name,
  fullName: (_, typed) => atTop('resourceTypes', typed),
  columns: [
    { title: 'CODE', value: (type) => lastSegment(type.name) },
    { title: 'UNIT', value: (type) => type.spec?.unit ?? '' },
    { title: 'MEANING', value: (type) => type.spec?.description ?? '' },
  ],
  people: (type) =>
    formatFields([
      ['code', lastSegment(type.name)],
      ['uid', type.uid],
      ['unit', type.spec?.unit ?? ''],
      ['meaning', type.spec?.description ?? ''],
    ]),
};

const clientOf = (context: Context) => createClient(ResourceTypeService, context.transport());

export const get = getCommand(noun, async (context, name) => {
  return (await clientOf(context).getResourceType({ name }, callOptions(context))).resourceType;
});

export const list = listCommand(noun, async (context, page) => {
  const answer = await clientOf(context).listResourceTypes(page, callOptions(context));
  return { rows: answer.resourceTypes, nextPageToken: answer.nextPageToken };
});

const DESCRIPTION = {
  description: { type: 'string', value: 'TEXT', help: 'what it means' },
} as const;

export const create: Command = {
  summary: 'define a resource type',
  positionals: [{ name: 'code', help: 'code, for example gpu.a100; "runm." is for built-in ones' }],
  options: {
    unit: { type: 'string', value: 'UNIT', help: 'unit of amounts, for example bytes (count)' },
    ...DESCRIPTION,
  },
  examples: ['runm resource-type create gpu.a100 --description "GPUs of that model"'],
  run: async (context, args) => {
    const resourceTypeId = args.positional('code');
    const spec = {
      unit: args.string('unit') ?? 'count',
      description: args.string('description') ?? '',
    };
    const requestId = context.random.requestId();
    const request = { resourceTypeId, resourceType: { spec }, requestId };
    const answer = await clientOf(context).createResourceType(request, callOptions(context));
    if (!answer.resourceType) return undefined;
    const people = () => `defined ${resourceTypeId}`;
    await showOne(context.output, noun, { message: answer.resourceType, people });
    return undefined;
  },
};

export const update: Command = {
  summary: 'say anew what a resource type means; its unit stays',
  positionals: [{ name: 'code', help: 'code of the resource type' }],
  options: DESCRIPTION,
  run: async (context, args) => {
    const description = args.string('description');
    if (description === undefined) throw new UsageError('--description is missing');
    const name = noun.fullName(context, args.positional('code'));
    const { resourceType } = await clientOf(context).updateResourceType(
      {
        resourceType: { name, spec: { description } },
        updateMask: { paths: ['spec.description'] },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (!resourceType) return undefined;
    const people = () => noun.people(resourceType, context);
    await showOne(context.output, noun, { message: resourceType, people });
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  await clientOf(context).deleteResourceType(request, callOptions(context));
});
