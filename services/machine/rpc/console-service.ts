/**
 * Consoles live at the replica that holds the agent's session; any other replica passes the call
 * on, once more, with one hop counted, and relays what comes back.
 */
import { create } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import {
  type AttachConsoleRequest,
  AttachConsoleRequestSchema,
  type AttachConsoleResponse,
  ConsoleService,
  type GetConsoleLogRequest,
  type GetConsoleLogResponse,
  GetConsoleLogResponseSchema,
  type WatchConsoleRequest,
  type WatchConsoleResponse,
  WatchConsoleResponseSchema,
  type WriteConsoleRequest,
} from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { unavailable } from '../../runtime/errors.ts';
import { forCaller } from '../../runtime/rpc/outgoing.ts';
import { type Connect, type Implementation, implement } from '../../runtime/service.ts';
import type { AgentHub, AgentSession, ConsoleHub, OpenConsole } from '../agent-port.ts';
import { event } from '../domain/event.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import { linesWith } from './console-lines.ts';
import { output, prepend, pump, streamOptions, writable, wrongOrder } from './console-stream.ts';
import { findVisible } from './machine-verbs.ts';
import { actorOf, type RpcDeps } from './rpc-deps.ts';

export type ConsoleRpcDeps = RpcDeps & {
  readonly hub: Pick<AgentHub, 'sessionOf'>;
  readonly consoles: ConsoleHub;
  readonly connect: Connect;
  readonly replicaId: string;
};

export const consoleRpc = (deps: ConsoleRpcDeps): Implementation =>
  implement(ConsoleService, {
    attachConsole: (requests, context) => attach(deps, requests, context),
    watchConsole: (request, context) => watch(deps, request, context),
    writeConsole: (request, context) => write(deps, request, context),
    getConsoleLog: (request, context) => readLog(deps, request, context),
  });

/** Where the console of a machine is. */
type Site =
  | { readonly kind: 'here'; readonly machine: Machine; readonly session: AgentSession }
  | { readonly kind: 'there'; readonly machine: Machine; readonly address: string };

/** Errors: not_found, unavailable NO_AGENT. */
const locate = async (
  deps: ConsoleRpcDeps,
  name: string,
  context: HandlerContext,
): Promise<Site> => {
  const { machine, agentKey, agent } = await deps.store.read(async (reader) => {
    const found = await findVisible(deps, reader, { name, context });
    const assignment = await deps.records.assignments.find(reader, found.uid);
    const key = assignment === undefined || assignment.absent ? '' : assignment.agentKey;
    const row = key === '' ? undefined : await deps.records.agents.findByKey(reader, key);
    return { machine: found, agentKey: key, agent: row };
  });
  if (agentKey === '') throw noAgent(machine, 'no agent has it yet');
  if (machine.wanted.access === false) throw noAgent(machine, 'the access to it has ended');
  const session = deps.hub.sessionOf(agentKey);
  if (session !== undefined) return { kind: 'here', machine, session };
  if (agent === undefined) throw noAgent(machine, `${agentKey} has never connected`);
  if (agent.state === 'revoked') throw noAgent(machine, `${agentKey} was revoked`);
  const since = new Date(agent.sinceMs).toISOString();
  const isConnected = agent.state === 'up' || agent.state === 'drained';
  if (!isConnected) throw noAgent(machine, `${agentKey} is down since ${since}`);
  const isMine = agent.replica === deps.replicaId;
  // A call that was passed on already stops here: the row was old at one of the two.
  if (isMine || callOf(context).hops > 0) throw noAgent(machine, `${agentKey} has just moved`);
  return { kind: 'there', machine, address: agent.address };
};

const noAgent = (machine: Machine, why: string) =>
  unavailable('NO_AGENT', `The console of "${machineName(machine)}" cannot be reached: ${why}`, {
    metadata: { name: machineName(machine) },
    retryAfterMs: 1_000,
  });

const clientAt = (deps: ConsoleRpcDeps, address: string) =>
  createClient(ConsoleService, deps.connect.transportToAddress(address));

async function* attach(
  deps: ConsoleRpcDeps,
  requests: AsyncIterable<AttachConsoleRequest>,
  context: HandlerContext,
): AsyncGenerator<AttachConsoleResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const content = first.done === true ? undefined : first.value.content;
  if (content?.case !== 'open') throw wrongOrder('the first message must open a console');
  const { name, readOnly, replayBytes, reason } = content.value;
  const site = await locate(deps, name, context);
  if (site.kind === 'there') {
    const all = prepend(create(AttachConsoleRequestSchema, { content }), iterator);
    yield* clientAt(deps, site.address).attachConsole(all, streamOptions(context));
    return;
  }
  const opened = await open(deps, site, { readOnly, replayBytes, reason, context });
  const typing = pump(iterator, opened);
  typing.catch(() => opened.close());
  yield* known(deps, opened);
}

type Opening = {
  readonly readOnly: boolean;
  readonly replayBytes: number;
  readonly reason: string;
  readonly context: HandlerContext;
};

/** Opens at the agent and records who looks at a tenant's console. */
const open = async (
  deps: ConsoleRpcDeps,
  { machine, session }: Extract<Site, { kind: 'here' }>,
  { readOnly, replayBytes, reason, context }: Opening,
): Promise<OpenConsole> => {
  const by = callOf(context).identity.principal;
  const order = { targetUid: machine.uid, readOnly, replayBytes, logOnly: false, by, reason };
  const opened = await deps.consoles.open(session, order, context.signal);
  // Whoever waits for output of a silent guest must notice that the caller is gone.
  context.signal.addEventListener('abort', opened.close, { once: true });
  try {
    await deps.store.transaction(undefined, actorOf(context), async (tx) => {
      tx.audit({
        action: 'machine.console',
        objectKind: 'machine',
        objectUid: machine.uid,
        objectName: machineName(machine),
        projectUid: machine.project,
        partition: machine.partition,
        after: { read_only: opened.readOnly, reason },
      });
      const nowMs = deps.clock.now().getTime();
      const how = opened.readOnly ? 'reads' : 'opened';
      const message = `${by} ${how} the console${reason === '' ? '' : `: ${reason}`}`;
      const events = [event(nowMs, { type: 'machine.console_opened', message })];
      await deps.writer.tell(tx, { machine, events, principal: by, operation: '' });
      const { id: uid, targetUid } = opened;
      const open = { uid, targetUid, replica: deps.replicaId, principal: by, sinceMs: nowMs };
      await deps.records.consoles.insert(tx, open);
    });
  } catch (error) {
    opened.close();
    throw error;
  }
  return opened;
};

/** While it lasts others can see that it is open. */
async function* known(
  deps: ConsoleRpcDeps,
  opened: OpenConsole,
): AsyncGenerator<AttachConsoleResponse> {
  try {
    yield* output(opened);
  } finally {
    const actor = { principal: opened.by, requestId: opened.id };
    await deps.store
      .transaction(undefined, actor, (tx) => deps.records.consoles.remove(tx, opened.id))
      .catch((error: unknown) => deps.log.warn({ err: error }, 'a console is shown as open'));
  }
}

async function* watch(
  deps: ConsoleRpcDeps,
  request: WatchConsoleRequest,
  context: HandlerContext,
): AsyncGenerator<WatchConsoleResponse> {
  const site = await locate(deps, request.name, context);
  if (site.kind === 'there') {
    yield* clientAt(deps, site.address).watchConsole(request, streamOptions(context));
    return;
  }
  const { readOnly, replayBytes, reason } = request;
  const opened = await open(deps, site, { readOnly, replayBytes, reason, context });
  for await (const content of known(deps, opened)) {
    yield create(WatchConsoleResponseSchema, { content });
  }
}

const write = async (
  deps: ConsoleRpcDeps,
  request: WriteConsoleRequest,
  context: HandlerContext,
) => {
  const site = await locate(deps, request.name, context);
  if (site.kind === 'there') {
    return clientAt(deps, site.address).writeConsole(request, forCaller(context));
  }
  const by = callOf(context).identity.principal;
  const targetUid = site.machine.uid;
  const opened = writable(deps.consoles, { sessionId: request.sessionId, by, targetUid });
  await opened.write(request.data);
  return {};
};

const TAIL_BYTES = 64 * 1024;
const TAIL_BYTES_MAX = 1024 ** 2;

const readLog = async (
  deps: ConsoleRpcDeps,
  request: GetConsoleLogRequest,
  context: HandlerContext,
): Promise<GetConsoleLogResponse> => {
  const site = await locate(deps, request.name, context);
  if (site.kind === 'there') {
    return clientAt(deps, site.address).getConsoleLog(request, forCaller(context));
  }
  const tailBytes = request.tailBytes === 0 ? TAIL_BYTES : request.tailBytes;
  const order = {
    targetUid: site.machine.uid,
    readOnly: true,
    replayBytes: tailBytes,
    logOnly: true,
    by: callOf(context).identity.principal,
  };
  const opened = await deps.consoles.open(site.session, order, context.signal);
  try {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of opened.parts) {
      if (part.kind === 'closed') break;
      if (part.kind !== 'data') continue;
      pieces.push(part.bytes);
      bytes += part.bytes.length;
      if (bytes > TAIL_BYTES_MAX) break;
    }
    const whole = Buffer.concat(pieces);
    const tail = whole.subarray(Math.max(0, whole.length - tailBytes));
    return create(GetConsoleLogResponseSchema, {
      data: request.contains === '' ? tail : linesWith(tail, request.contains),
      truncated: opened.truncated || whole.length > tailBytes,
    });
  } finally {
    opened.close();
  }
};
