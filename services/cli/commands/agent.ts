import { createClient } from '@connectrpc/connect';
import { AgentDirectoryService } from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import {
  AgentSchema,
  AgentState,
  AgentStateSchema,
} from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import { TrustService } from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { jsonText } from '../format/json-text.ts';
import { formatSizeBytes } from '../format/size.ts';
import { formatLocalTime, parseSpanSeconds, secondsToDuration } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { inPartition, lastSegment, partitionParent } from '../resource-names.ts';

const noun: Noun<typeof AgentSchema> = {
  singular: 'agent',
  schema: AgentSchema,
  name: (agent) => agent.name,
  fullName: (context, typed) => inPartition(context.settings, 'agents', typed),
  columns: [
    { title: 'NAME', value: (agent) => lastSegment(agent.name) },
    {
      title: 'STATE',
      value: (agent) => enumWord(AgentStateSchema, agent.status?.state ?? AgentState.UNSPECIFIED),
    },
    { title: 'ROLES', value: (agent) => (agent.status?.roles ?? []).join(' ') },
    { title: 'VERSION', value: (agent) => agent.status?.version ?? '' },
    { title: 'SINCE', value: (agent) => formatLocalTime(agent.status?.since) },
  ],
  people: (agent) =>
    formatFields([
      ['name', agent.name],
      ['uid', agent.uid],
      ['state', enumWord(AgentStateSchema, agent.status?.state ?? AgentState.UNSPECIFIED)],
      ['since', formatLocalTime(agent.status?.since)],
      ['roles', (agent.status?.roles ?? []).join(' ')],
      ['version', agent.status?.version ?? ''],
      ['host', agent.status?.host?.hostname ?? ''],
      ['processors', String(agent.status?.host?.cpuThreads || '')],
      ['memory', formatSizeBytes(agent.status?.host?.memoryBytes ?? 0n)],
      ['accelerator', agent.status?.host?.accelerator ?? ''],
      ['why', agent.status?.host?.acceleratorReason ?? ''],
      ['orphans', (agent.status?.orphans ?? []).join(' ')],
    ]),
};

export const get = getCommand(noun, async (context, name) => {
  const client = createClient(AgentDirectoryService, context.transport());
  return (await client.getAgent({ name }, callOptions(context))).agent;
});

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(AgentDirectoryService, context.transport());
  const parent = partitionParent(context.settings);
  const answer = await client.listAgents({ parent, ...page }, callOptions(context));
  return { rows: answer.agents, nextPageToken: answer.nextPageToken };
});

export const createToken: Command = {
  summary: 'make a one-time token with which an agent joins; printed once',
  options: {
    roles: { type: 'string', value: 'LIST', help: 'roles with commas, for example vm,bmc (vm)' },
    id: { type: 'string', value: 'ID', help: 'name of the agent' },
    lifetime: { type: 'string', value: 'SPAN', help: 'how long it may be used (1h)' },
  },
  run: async (context, args) => {
    const client = createClient(TrustService, context.transport());
    const lifetime = parseSpanSeconds(args.string('lifetime') ?? '1h', '--lifetime');
    const answer = await client.createJoinToken(
      {
        parent: partitionParent(context.settings),
        roles: (args.string('roles') ?? 'vm').split(','),
        agentId: args.string('id') ?? '',
        lifetime: secondsToDuration(lifetime),
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (context.output.mode === 'json') {
      const { secret, caFingerprint } = answer;
      context.output.result(jsonText({ secret, caFingerprint }));
    } else {
      context.output.result(answer.secret);
      context.output.remark(`CA fingerprint: ${answer.caFingerprint}`);
      context.output.remark('keep it now: it cannot be shown again, and it joins one agent only');
    }
    return undefined;
  },
};

export const revoke: Command = {
  summary: "revoke an agent's certificates; it is cut off at once",
  positionals: [{ name: 'name', help: 'name or uid of the agent' }],
  options: { why: { type: 'string', value: 'TEXT', help: 'why, for the audit' } },
  run: async (context, args) => {
    const name = noun.fullName(context, args.positional('name'));
    const client = createClient(TrustService, context.transport());
    await client.revokeAgent({ name, why: args.string('why') ?? '' }, callOptions(context));
    context.output.remark(`revoked ${name}`);
    return undefined;
  },
};
