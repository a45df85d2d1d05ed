import { create as message } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import {
  type Partition,
  PartitionSchema,
  type ProviderTypeSettings,
  ProviderTypeSettingsSchema,
} from '../../../gen/runmachine/inventory/v1/partition_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderTypeSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Option } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { parseProviderType } from '../format/provider-type.ts';
import { formatLocalTime, parseSpanSeconds, secondsToDuration, spanText } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

/** As it is typed: "bare-metal=10m". */
const turnarounds = (partition: Partition): string =>
  (partition.spec?.providerTypes ?? [])
    .map(({ type, turnaround }) => {
      const word = enumWord(ProviderTypeSchema, type).replaceAll(' ', '-');
      return `${word}=${spanText(Number(turnaround?.seconds ?? 0))}`;
    })
    .join(' ');

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
      ['turnaround', turnarounds(partition)],
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

const OPTIONS: Readonly<Record<string, Option>> = {
  description: { type: 'string', value: 'TEXT', help: 'what it is' },
  turnaround: {
    type: 'string',
    multiple: true,
    value: 'TYPE=SPAN',
    help: 'time for cleaning between two claims of a whole provider: bare-metal=10m; 0s: none',
  },
};

const parseTurnaround = (text: string): ProviderTypeSettings => {
  const at = text.indexOf('=');
  if (at < 1) {
    throw new UsageError(`--turnaround: "${text}" is not TYPE=SPAN`, 'for example bare-metal=10m');
  }
  const seconds = parseSpanSeconds(text.slice(at + 1), '--turnaround');
  return message(ProviderTypeSettingsSchema, {
    type: parseProviderType(text.slice(0, at), '--turnaround'),
    ...(seconds > 0 && { turnaround: secondsToDuration(seconds) }),
  });
};

export const create: Command = {
  summary: 'create a partition',
  positionals: [{ name: 'name', help: 'name of the new partition' }],
  options: OPTIONS,
  run: async (context, args) => {
    const client = createClient(PartitionService, context.transport());
    const partitionId = newId(args.positional('name'));
    const spec = {
      description: args.string('description') ?? '',
      providerTypes: args.strings('turnaround').map(parseTurnaround),
    };
    const requestId = context.random.requestId();
    const request = { partitionId, partition: { spec }, requestId };
    await client.createPartition(request, callOptions(context));
    context.output.remark(`created partitions/${partitionId}`);
    return undefined;
  },
};

export const update: Command = {
  summary: 'change what a partition is; types whose turnaround is not named keep it',
  positionals: [{ name: 'name', help: 'name or uid of the partition' }],
  options: OPTIONS,
  examples: ['runm partition update lab --turnaround bare-metal=10m'],
  run: async (context, args) => {
    const description = args.string('description');
    const given = args.strings('turnaround').map(parseTurnaround);
    const paths = [
      ...(description === undefined ? [] : ['spec.description']),
      ...(given.length ? ['spec.provider_types'] : []),
    ];
    if (paths.length === 0) throw new UsageError('nothing to change', 'see --help');
    const client = createClient(PartitionService, context.transport());
    const name = noun.fullName(context, args.positional('name'));
    const current = (await client.getPartition({ name }, callOptions(context))).partition;
    const present = current?.spec?.providerTypes ?? [];
    const kept = present.filter((one) => !given.some(({ type }) => type === one.type));
    const providerTypes = [...kept, ...given.filter((one) => one.turnaround)];
    const spec = { description: description ?? '', providerTypes };
    const { partition } = await client.updatePartition(
      {
        partition: { name, etag: current?.etag ?? '', spec },
        updateMask: { paths },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (!partition) return undefined;
    const people = () => noun.people(partition, context);
    await showOne(context.output, noun, { message: partition, people });
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(PartitionService, context.transport());
  await client.deletePartition(request, callOptions(context));
});
