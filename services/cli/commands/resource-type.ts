import { createClient } from '@connectrpc/connect';
import { ResourceTypeSchema } from '../../../gen/runmachine/inventory/v1/resource_type_pb.ts';
import { ResourceTypeService } from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { callOptions } from '../call-options.ts';
import { listCommand, type Noun } from '../crud.ts';
import { atTop, lastSegment } from '../resource-names.ts';

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
  people: (type) => lastSegment(type.name),
};

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(ResourceTypeService, context.transport());
  const answer = await client.listResourceTypes(page, callOptions(context));
  return { rows: answer.resourceTypes, nextPageToken: answer.nextPageToken };
});
