import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  AgentDirectoryService,
  DrainAgentResponseSchema,
  type ListAgentsRequest,
  ResumeAgentResponseSchema,
} from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentSchema } from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import { accessOf, requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { ANY, isUid, namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { AgentHub } from '../agent-port.ts';
import { agentKeyOf } from '../domain/capacity.ts';
import type { Agent } from '../ports.ts';
import { agentMessage } from './agent-message.ts';
import { actorOf, cutPage, missing, pageFor, type RpcDeps } from './rpc-deps.ts';

export type DirectoryDeps = RpcDeps & {
  readonly hub: Pick<AgentHub, 'sessionOf'>;
  /** Has the scheduler told what follows for the VM hosts of that agent; never throws. */
  readonly seeHosts: (agentKey: string, signal: AbortSignal) => Promise<void>;
};

const pattern = namePattern('partitions/{partition}/agents/{agent}');
const parentPattern = namePattern('partitions/{partition}');

export const agentDirectoryRpc = (deps: DirectoryDeps): Implementation =>
  implement(AgentDirectoryService, {
    getAgent: async ({ name }, context) => ({
      agent: message(deps, await find(deps, name, context)),
    }),
    listAgents: (request, context) => list(deps, request, context),
    drainAgent: async ({ name, why }, context) => {
      const agent = await find(deps, name, context);
      const change = { uid: agent.uid, isDrained: true, why };
      const schema = DrainAgentResponseSchema;
      const key = requestKeyOf(context, schema);
      const answer = await deps.store.transaction(key, actorOf(context), async (tx) =>
        create(schema, { agent: await setDrained(deps, tx, change) }),
      );
      await deps.seeHosts(agentKeyOf(agent), context.signal);
      return answer;
    },
    resumeAgent: async ({ name }, context) => {
      const agent = await find(deps, name, context);
      const change = { uid: agent.uid, isDrained: false, why: '' };
      const schema = ResumeAgentResponseSchema;
      const key = requestKeyOf(context, schema);
      const answer = await deps.store.transaction(key, actorOf(context), async (tx) =>
        create(schema, { agent: await setDrained(deps, tx, change) }),
      );
      await deps.seeHosts(agentKeyOf(agent), context.signal);
      return answer;
    },
  });

type Drain = { readonly uid: string; readonly isDrained: boolean; readonly why: string };

/** Who has its session, and whoever gives out work, follows the row. */
const setDrained = async (deps: DirectoryDeps, tx: Tx, { uid, isDrained, why }: Drain) => {
  const agent = await deps.records.agents.lock(tx, uid);
  if (agent === undefined) throw missing(uid, 'runm.agent');
  if (agent.state === 'revoked') throw revoked(agent);
  if ((agent.isDrained === true) === isDrained) return message(deps, agent);
  const next = drained(agent, isDrained, deps.clock.now().getTime());
  await deps.records.agents.save(tx, next);
  tx.audit({
    action: isDrained ? 'agent.drain' : 'agent.resume',
    objectKind: 'agent',
    objectUid: uid,
    objectName: `partitions/${agent.partition}/agents/${agent.agentId}`,
    partition: agent.partition,
    before: { state: agent.state },
    after: { state: next.state, why },
  });
  return message(deps, next);
};

const drained = (agent: Agent, isDrained: boolean, nowMs: number): Agent => {
  if (agent.state === 'down') return { ...agent, isDrained, updateMs: nowMs };
  const state = isDrained ? 'drained' : 'up';
  return { ...agent, isDrained, state, sinceMs: nowMs, updateMs: nowMs };
};

const revoked = (agent: Agent) =>
  failedPrecondition('INVALID_STATE', `The agent "${agent.agentId}" was revoked`, {
    invalidState: { state: 'REVOKED', allowed: ['UP', 'DOWN', 'DRAINED'] },
  });

const message = (deps: DirectoryDeps, agent: Agent) => {
  const session = deps.hub.sessionOf(agentKeyOf(agent));
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
    keyOf: (agent) => [agentKeyOf(agent)],
    schema: AgentSchema,
    message: (agent) => message(deps, agent),
  });
  return { agents: messages, nextPageToken };
};
