import type { HandlerContext } from '@connectrpc/connect';
import {
  AgentDirectoryService,
  type ListAgentsRequest,
} from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentSchema } from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { ANY, isUid, namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { AgentHub } from '../agent-port.ts';
import { agentKey } from '../domain/capacity.ts';
import type { Agent } from '../ports.ts';
import { agentMessage } from './agent-message.ts';
import { cutPage, missing, pageFor, type RpcDeps } from './rpc-deps.ts';

export type DirectoryDeps = RpcDeps & { readonly hub: Pick<AgentHub, 'sessionOf'> };

const pattern = namePattern('partitions/{partition}/agents/{agent}');
const parentPattern = namePattern('partitions/{partition}');

export const agentDirectoryRpc = (deps: DirectoryDeps): Implementation =>
  implement(AgentDirectoryService, {
    getAgent: async ({ name }, context) => ({
      agent: message(deps, await find(deps, name, context)),
    }),
    listAgents: (request, context) => list(deps, request, context),
  });

const keyOf = (agent: Agent): string =>
  agentKey(`partitions/${agent.partition}/agents/${agent.agentId}`);

const message = (deps: DirectoryDeps, agent: Agent) => {
  const session = deps.hub.sessionOf(keyOf(agent));
  const silentMs = session === undefined ? 0 : deps.clock.monotonicMs() - session.lastHeardMs;
  const heardMs = session === undefined ? undefined : deps.clock.now().getTime() - silentMs;
  return agentMessage(agent, { incarnation: deps.store.incarnation(), heardMs });
};

const find = async (deps: DirectoryDeps, name: string, context: HandlerContext): Promise<Agent> => {
  const path = pattern.parse(name);
  const agent = await deps.store.read(async (reader) => {
    if (path === undefined) return undefined;
    return isUid(path.agent)
      ? deps.records.agents.find(reader, path.agent.toLowerCase())
      : deps.records.agents.findByKey(reader, name);
  });
  const isIts =
    agent !== undefined &&
    agent.partition.toLowerCase() === path?.partition.toLowerCase() &&
    accessOf(context).covers({ partition: agent.partition });
  if (!isIts) throw missing(name, 'runm.agent');
  return agent;
};

const list = async (deps: DirectoryDeps, request: ListAgentsRequest, context: HandlerContext) => {
  const page = pageFor(deps, request, { parent: request.parent });
  const filter = {
    partition: parentPattern.parse(request.parent)?.partition ?? ANY,
    access: accessOf(context),
  };
  const rows = await deps.store.read((reader) => deps.records.agents.list(reader, filter, page));
  const { messages, nextPageToken } = cutPage({
    page,
    rows,
    keyOf: (agent) => [keyOf(agent)],
    schema: AgentSchema,
    message: (agent) => message(deps, agent),
  });
  return { agents: messages, nextPageToken };
};
