import { createClient } from '@connectrpc/connect';
import { CapabilitySchema } from '../../../gen/runmachine/inventory/v1/capability_pb.ts';
import { CapabilityService } from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { deleteCommand, listCommand, type Noun } from '../crud.ts';
import { formatFields } from '../format/table.ts';
import { atTop, lastSegment } from '../resource-names.ts';

const noun: Noun<typeof CapabilitySchema> = {
  singular: 'capability',
  schema: CapabilitySchema,
  name: (capability) => capability.name,
  fullName: (_, typed) => atTop('capabilities', typed),
  columns: [
    { title: 'CODE', value: (capability) => lastSegment(capability.name) },
    { title: 'MEANING', value: (capability) => capability.spec?.description ?? '' },
  ],
  people: (capability) => formatFields([['code', lastSegment(capability.name)]]),
};

export const list: Command = {
  ...listCommand(noun, async (context, page) => {
    const client = createClient(CapabilityService, context.transport());
    const answer = await client.listCapabilities(page, callOptions(context));
    return { rows: answer.capabilities, nextPageToken: answer.nextPageToken };
  }),
  summary: 'list capabilities',
};

export const create: Command = {
  summary: 'define a capability',
  positionals: [{ name: 'code', help: 'code, for example cpu.x86.avx2' }],
  options: { description: { type: 'string', value: 'TEXT', help: 'what it means' } },
  run: async (context, args) => {
    const client = createClient(CapabilityService, context.transport());
    const capabilityId = args.positional('code');
    await client.createCapability(
      {
        capabilityId,
        capability: { spec: { description: args.string('description') ?? '' } },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    context.output.remark(`defined ${capabilityId}`);
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(CapabilityService, context.transport());
  await client.deleteCapability(request, callOptions(context));
});
