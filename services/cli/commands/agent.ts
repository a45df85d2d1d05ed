import { createClient } from '@connectrpc/connect';
import { AgentDirectoryService } from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import {
  AgentSchema,
  AgentState,
  AgentStateSchema,
} from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import { TrustService } from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { fetchPeopleFile } from '../../runtime/client-file.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { jsonText } from '../format/json-text.ts';
import { formatSizeBytes } from '../format/size.ts';
import { formatLocalTime, parseSpanSeconds, secondsToDuration } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { type JoinManifest, joinLine } from '../join-line.ts';
import { inPartition, lastSegment, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

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
  summary: 'make a one-time token, and print the line that makes a host join with it',
  options: {
    roles: { type: 'string', value: 'LIST', help: 'roles with commas, for example vm,bmc (vm)' },
    id: { type: 'string', value: 'ID', help: 'name of the agent' },
    lifetime: { type: 'string', value: 'SPAN', help: 'how long it may be used (1h)' },
    'join-endpoint': {
      type: 'string',
      value: 'URL',
      help: 'the control plane as the new host reaches it (the endpoint of the profile)',
    },
    foreground: { type: 'boolean', help: 'the line runs the agent instead of installing a unit' },
    'token-only': { type: 'boolean', help: 'print the token and not the line' },
  },
  examples: ['runm agent token create --roles bmc,vm', 'runm agent token create --token-only'],
  run: async (context, args) => {
    const { output } = context;
    const roles = (args.string('roles') ?? 'vm').split(',');
    const endpoint = joinEndpoint(args.string('join-endpoint') ?? context.settings.endpoint);
    // Before the token is made: a line that cannot be made should cost none.
    const isBare = args.flag('token-only') || output.mode === 'quiet';
    const manifest = isBare ? undefined : await readManifest(context);
    const client = createClient(TrustService, context.transport());
    const lifetime = parseSpanSeconds(args.string('lifetime') ?? '1h', '--lifetime');
    const agentId = args.string('id') ?? '';
    const { secret: token, caFingerprint } = await client.createJoinToken(
      {
        parent: partitionParent(context.settings),
        ...{ roles, agentId },
        lifetime: secondsToDuration(lifetime),
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    const more = args.flag('foreground') ? ['--foreground'] : [];
    const facts = { endpoint, caFingerprint, token, roles, agentId, more };
    const line = manifest && joinLine(facts, manifest);
    if (output.mode === 'json') {
      output.result(jsonText({ secret: token, caFingerprint, ...(line && { line }) }));
      return undefined;
    }
    output.result(line ?? token);
    output.remark(`CA fingerprint: ${caFingerprint}`);
    if (line === undefined && !isBare) {
      output.remark('this control plane offers no bundle of the agent, so this is the token only');
    }
    if (line !== undefined && isLoopback(endpoint)) {
      output.remark('it joins this host only; --join-endpoint names the control plane for others');
    }
    output.remark('keep it now: it cannot be shown again, and it joins one agent only');
    return undefined;
  },
};

const joinEndpoint = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.pathname === '/') return url.origin;
  throw new UsageError(`--join-endpoint: "${text}" is not https://host:port`);
};

const isLoopback = (endpoint: string): boolean =>
  /^(?:localhost|127\.|\[::1\])/.test(new URL(endpoint).hostname);

/** The first time the control plane makes the bundles for it, which takes its time. */
const MANIFEST_MS = 180_000;

const readManifest = async ({ settings }: Context): Promise<JoinManifest | undefined> => {
  const { endpoint, caPem } = settings;
  const trusted = caPem === undefined ? {} : { caPem };
  const path = '/agent/manifest.json';
  const text = await fetchPeopleFile({ endpoint, path, timeoutMs: MANIFEST_MS, ...trusted });
  return text === undefined ? undefined : JSON.parse(text);
};

export const drain: Command = {
  summary:
    'let an agent take no new work: no new claims on its VM hosts, others take its controllers',
  positionals: [{ name: 'name', help: 'name or uid of the agent' }],
  options: { reason: { type: 'string', value: 'TEXT', help: 'why, for the audit' } },
  run: async (context, args) => {
    const name = noun.fullName(context, args.positional('name'));
    const client = createClient(AgentDirectoryService, context.transport());
    const requestId = context.random.requestId();
    const why = args.string('reason') ?? '';
    await client.drainAgent({ name, why, requestId }, callOptions(context));
    context.output.remark(
      `drained ${name}: its VM hosts take no new claims, its consoles end and its controllers go ` +
        `to other agents; virtual machines there go on. To undo it: runm agent resume ${name}`,
    );
    return undefined;
  },
};

export const resume: Command = {
  summary: 'let a drained agent take work again',
  positionals: [{ name: 'name', help: 'name or uid of the agent' }],
  run: async (context, args) => {
    const name = noun.fullName(context, args.positional('name'));
    const client = createClient(AgentDirectoryService, context.transport());
    const requestId = context.random.requestId();
    await client.resumeAgent({ name, requestId }, callOptions(context));
    context.output.remark(`${name} takes work again, and its VM hosts take claims`);
    return undefined;
  },
};

export const revoke: Command = {
  summary: "revoke an agent's certificates; it is cut off at once",
  positionals: [{ name: 'name', help: 'name or uid of the agent' }],
  options: { reason: { type: 'string', value: 'TEXT', help: 'why, for the audit' } },
  run: async (context, args) => {
    const name = noun.fullName(context, args.positional('name'));
    const client = createClient(TrustService, context.transport());
    await client.revokeAgent({ name, why: args.string('reason') ?? '' }, callOptions(context));
    context.output.remark(`revoked ${name}`);
    return undefined;
  },
};
