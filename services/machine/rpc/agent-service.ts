/**
 * Where agents connect. Every method is only for the certificate of an agent, and about that agent
 * only.
 */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  AgentService,
  type ChannelRequest,
  type ChannelResponse,
  ChannelResponseSchema,
  type GetArtifactRequest,
  type GetArtifactResponse,
  GetArtifactResponseSchema,
  type SessionRequest,
  type SessionResponse,
} from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import {
  failedPrecondition,
  internal,
  invalidArgument,
  permissionDenied,
  unavailable,
} from '../../runtime/errors.ts';
import { bothWays, handRest, type Take } from '../../runtime/hand-rest.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type {
  AgentHub,
  AgentSession,
  Channel,
  ChannelPart,
  ConsoleHub,
  Down,
} from '../agent-port.ts';
import { agentKeyOf } from '../domain/capacity.ts';
import { ARTIFACT_PART_BYTES } from '../ports.ts';
import { downMessage, helloOf, reportOf, welcomeMessage } from './agent-message.ts';
import { type AgentSecretDeps, agentSecret } from './agent-secret.ts';
import { missing } from './rpc-deps.ts';

export type AgentRpcDeps = AgentSecretDeps & {
  readonly hub: AgentHub;
  readonly consoles: ConsoleHub;
  readonly heartbeatMs: number;
  /** False until the change feed is followed: a session before that would miss assignments. */
  readonly isStarted: () => boolean;
};

export const agentRpc = (deps: AgentRpcDeps): Implementation =>
  implement(AgentService, {
    session: (requests, context) => session(deps, { requests, context }),
    channel: (requests, context) => channel(deps, requests, context),
    getArtifact: (request, context) => artifact(deps, request, context),
    getSecret: (request, context) =>
      agentSecret(deps, request, { agentUid: agentOf(context), signal: context.signal }),
  });

/** Errors: permission_denied for anybody but an agent. */
const agentOf = (context: HandlerContext): string => {
  const { identity } = callOf(context);
  if (identity.kind === 'agent') return identity.uid;
  throw permissionDenied('NOT_ALLOWED', `${identity.principal} is not an agent`, {
    metadata: { principal: identity.principal },
  });
};

type Call = {
  readonly requests: AsyncIterable<SessionRequest>;
  readonly context: HandlerContext;
};

const session = (deps: AgentRpcDeps, call: Call): AsyncIterable<SessionResponse> =>
  bothWays(
    () => askedSession(deps, call),
    (take) => handedSession(deps, call, take),
  );

async function* askedSession(deps: AgentRpcDeps, call: Call): AsyncGenerator<SessionResponse> {
  const opened = await begin(deps, call);
  try {
    while (await opened.outbox.filled()) {
      let down = opened.outbox.take();
      for (; down !== undefined; down = opened.outbox.take()) yield message(deps, opened, down);
    }
  } finally {
    deps.hub.close(opened, 'CLOSED');
  }
  if (opened.failure !== undefined) throw opened.failure;
}

/** The same over the network, where there are ten thousand: few promises wait for the next one. */
const handedSession = async (
  deps: AgentRpcDeps,
  call: Call,
  take: Take<SessionResponse>,
): Promise<void> => {
  const opened = await begin(deps, call);
  try {
    while (await opened.outbox.filled()) {
      let down = opened.outbox.take();
      for (; down !== undefined; down = opened.outbox.take()) {
        const pending = take(message(deps, opened, down));
        if (pending !== undefined) await pending;
      }
    }
  } finally {
    deps.hub.close(opened, 'CLOSED');
  }
  if (opened.failure !== undefined) throw opened.failure;
};

/** Apart from the loop, so that ten thousand sessions do not keep their Hellos in memory. */
const begin = async (deps: AgentRpcDeps, { requests, context }: Call): Promise<AgentSession> => {
  const agentUid = agentOf(context);
  if (!deps.isStarted()) throw starting();
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const content = first.done === true ? undefined : first.value.content;
  if (content?.case !== 'hello') throw wrongOrder('the first message of a session must be Hello');
  const hello = helloOf(agentUid, content.value);
  const opened = await deps.hub.open(hello, context.signal);
  // Who sends waits for the outbox, and would not notice that the agent is gone.
  const onAbort = () => deps.hub.close(opened, 'DISCONNECTED');
  context.signal.addEventListener('abort', onAbort, { once: true });
  const end = (error: unknown) => {
    opened.failure ??= error;
    deps.hub.close(opened, 'FAILED');
  };
  deps.hub.sendDifferences(opened, hello.held).catch(end);
  const read = handRest(iterator, (request) => take(deps, request, opened));
  read.then(() => deps.hub.close(opened, 'CLOSED'), end);
  return opened;
};

const message = (deps: AgentRpcDeps, opened: AgentSession, down: Down): SessionResponse =>
  down.kind === 'welcome'
    ? welcomeMessage(opened, {
        incarnation: deps.store.incarnation(),
        heartbeatMs: deps.heartbeatMs,
      })
    : downMessage(down);

/** Set while the agent must wait before it says more. */
const take = (
  deps: AgentRpcDeps,
  request: SessionRequest,
  opened: AgentSession,
): Promise<void> | undefined => {
  if (opened.isClosed) return undefined;
  const { content } = request;
  if (content.case === 'hello') throw wrongOrder('Hello comes once, at the beginning');
  deps.hub.heard(opened, content.case === 'heartbeat');
  if (content.case === 'heartbeat') return undefined;
  const incarnation = deps.store.incarnation();
  const report = reportOf(request, { incarnation, nowMs: deps.clock.now().getTime() });
  return report === undefined ? undefined : deps.hub.report(opened, report);
};

async function* channel(
  deps: AgentRpcDeps,
  requests: AsyncIterable<ChannelRequest>,
  context: HandlerContext,
): AsyncGenerator<ChannelResponse> {
  const agentUid = agentOf(context);
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const content = first.done === true ? undefined : first.value.content;
  if (content?.case !== 'channelId') {
    throw wrongOrder('the first message of a channel must be its id');
  }
  const opened = deps.consoles.accept(agentUid, content.value);
  if (opened === undefined) {
    throw failedPrecondition('CONSOLE_UNAVAILABLE', 'Nobody waits for that channel any more');
  }
  pump(iterator, opened).catch(opened.end);
  context.signal.addEventListener('abort', opened.end, { once: true });
  try {
    for await (const data of opened.typed) {
      yield create(ChannelResponseSchema, { content: { case: 'data', value: data } });
    }
    yield create(ChannelResponseSchema, { content: { case: 'close', value: {} } });
  } finally {
    opened.end();
  }
}

const pump = async (iterator: AsyncIterator<ChannelRequest>, opened: Channel): Promise<void> => {
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    const part = partOf(next.value);
    if (part !== undefined) await opened.put(part);
  }
  opened.end();
};

const partOf = ({ content }: ChannelRequest): ChannelPart | undefined => {
  switch (content.case) {
    case 'opened':
      return {
        kind: 'opened',
        readOnly: content.value.readOnly,
        truncated: content.value.truncated,
      };
    case 'data':
      return { kind: 'data', bytes: content.value };
    case 'takenOver':
      return { kind: 'taken-over', by: content.value };
    case 'closed':
      return { kind: 'closed', why: content.value };
    default:
      return undefined;
  }
};

/** In parts of at most 1 MiB, each read when the one before was taken. */
async function* artifact(
  deps: AgentRpcDeps,
  { sha256, offsetBytes }: GetArtifactRequest,
  context: HandlerContext,
): AsyncGenerator<GetArtifactResponse> {
  const agentUid = agentOf(context);
  const found = await deps.store.read(async (reader) => {
    const agent = await deps.records.agents.find(reader, agentUid);
    if (agent === undefined) return undefined;
    const key = agentKeyOf(agent);
    const isIts = await deps.records.assignments.namesDigest(reader, key, sha256);
    return isIts ? deps.records.artifacts.find(reader, sha256) : undefined;
  });
  // The same answer for a file that is not there and one that is not this agent's.
  if (found === undefined) throw missing(sha256, 'runm.artifact');
  const { uid, sizeBytes } = found;
  const offset = Number(offsetBytes);
  if (offset > sizeBytes) throw beyond(sizeBytes);
  if (offset === sizeBytes) yield part(new Uint8Array(), sizeBytes);
  for (let position = offset; position < sizeBytes; ) {
    const start = position - (position % ARTIFACT_PART_BYTES);
    const data = await deps.store.read((r) => deps.records.artifacts.readPart(r, uid, start));
    if (data === undefined) throw internal('INTERNAL', `The file ${sha256} lacks a part`);
    const rest = data.subarray(position - start);
    yield part(rest, position === offset ? sizeBytes : 0);
    position += rest.length;
  }
}

const part = (data: Uint8Array, sizeBytes: number): GetArtifactResponse =>
  create(GetArtifactResponseSchema, { data, sizeBytes: BigInt(sizeBytes) });

const beyond = (sizeBytes: number) =>
  invalidArgument('INVALID_FIELD', `offset_bytes: the file has only ${sizeBytes} bytes`, {
    metadata: { field: 'offset_bytes' },
    violations: [{ field: 'offset_bytes', description: `must be at most ${sizeBytes}` }],
  });

const wrongOrder = (description: string) =>
  invalidArgument('INVALID_FIELD', `content: ${description}`, {
    metadata: { field: 'content' },
    violations: [{ field: 'content', description }],
  });

const starting = () =>
  unavailable('SERVICE_UNAVAILABLE', 'This replica is starting; dial again', { retryAfterMs: 500 });
