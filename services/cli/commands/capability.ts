import { createClient } from '@connectrpc/connect';
import { CapabilitySchema } from '../../../gen/runmachine/inventory/v1/capability_pb.ts';
import { CapabilityService } from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { atTop, lastSegment } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const noun: Noun<typeof CapabilitySchema> = {
  singular: 'capability',
  schema: CapabilitySchema,
  name: (capability) => capability.name,
  fullName: (_, typed) => atTop('capabilities', typed),
  columns: [
    { title: 'CODE', value: (capability) => lastSegment(capability.name) },
    { title: 'MEANING', value: (capability) => capability.spec?.description ?? '' },
  ],
  people: (capability) =>
    formatFields([
      ['code', lastSegment(capability.name)],
      ['uid', capability.uid],
      ['meaning', capability.spec?.description ?? ''],
      ['created', formatLocalTime(capability.createTime)],
    ]),
};

const clientOf = (context: Context) => createClient(CapabilityService, context.transport());

const DESCRIPTION = {
  description: { type: 'string', value: 'TEXT', help: 'what it means' },
} as const;

export const get = getCommand(noun, async (context, name) => {
  return (await clientOf(context).getCapability({ name }, callOptions(context))).capability;
});

export const list: Command = {
  ...listCommand(noun, async (context, page) => {
    const answer = await clientOf(context).listCapabilities(page, callOptions(context));
    return { rows: answer.capabilities, nextPageToken: answer.nextPageToken };
  }),
  summary: 'list capabilities',
};

export const create: Command = {
  summary: 'define a capability',
  positionals: [{ name: 'code', help: 'code, for example cpu.x86.avx2' }],
  options: DESCRIPTION,
  run: async (context, args) => {
    const capabilityId = args.positional('code');
    const spec = { description: args.string('description') ?? '' };
    const requestId = context.random.requestId();
    const request = { capabilityId, capability: { spec }, requestId };
    const { capability } = await clientOf(context).createCapability(request, callOptions(context));
    if (!capability) return undefined;
    const people = () => `defined ${capabilityId}`;
    await showOne(context.output, noun, { message: capability, people });
    return undefined;
  },
};

export const update: Command = {
  summary: 'say anew what a capability means',
  positionals: [{ name: 'code', help: 'code of the capability' }],
  options: DESCRIPTION,
  run: async (context, args) => {
    const description = args.string('description');
    if (description === undefined) throw new UsageError('--description is missing');
    const name = noun.fullName(context, args.positional('code'));
    const { capability } = await clientOf(context).updateCapability(
      {
        capability: { name, spec: { description } },
        updateMask: { paths: ['spec.description'] },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (!capability) return undefined;
    const people = () => noun.people(capability, context);
    await showOne(context.output, noun, { message: capability, people });
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  await clientOf(context).deleteCapability(request, callOptions(context));
});
