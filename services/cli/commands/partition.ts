import { createClient } from '@connectrpc/connect';
import { PartitionSchema } from '../../../gen/runmachine/inventory/v1/partition_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';

const noun: Noun<typeof PartitionSchema> = {
  singular: 'partition',
  schema: PartitionSchema,
  name: (partition) => partition.name,
  fullName: (_, typed) => atTop('partitions', typed),
  columns: [
    { title: 'NAME', value: (partition) => lastSegment(partition.name) },
    { title: 'DESCRIPTION', value: (partition) => partition.spec?.description ?? '' },
  ],
  people: (partition) =>
    formatFields([
      ['name', partition.name],
      ['uid', partition.uid],
      ['description', partition.spec?.description ?? ''],
      ['created', formatLocalTime(partition.createTime)],
    ]),
};

export const get = getCommand(noun, async (context, name) => {
  const client = createClient(PartitionService, context.transport());
  return (await client.getPartition({ name }, callOptions(context))).partition;
});

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(PartitionService, context.transport());
  const answer = await client.listPartitions(page, callOptions(context));
  return { rows: answer.partitions, nextPageToken: answer.nextPageToken };
});

export const create: Command = {
  summary: 'create a partition',
  positionals: [{ name: 'name', help: 'name of the new partition' }],
  options: { description: { type: 'string', value: 'TEXT', help: 'what it is' } },
  run: async (context, args) => {
    const client = createClient(PartitionService, context.transport());
    const partitionId = newId(args.positional('name'));
    await client.createPartition(
      {
        partitionId,
        partition: { spec: { description: args.string('description') ?? '' } },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    context.output.remark(`created partitions/${partitionId}`);
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(PartitionService, context.transport());
  await client.deletePartition(request, callOptions(context));
});
