/**
 * Serial consoles of providers, for operators: as those of machines, by the provider's
 * controller.
 */
import { create } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import {
  type AttachProviderConsoleRequest,
  AttachProviderConsoleRequestSchema,
  type AttachProviderConsoleResponse,
  AttachProviderConsoleResponseSchema,
  type ProviderConsoleOpen,
  ProviderConsoleService,
  type WatchProviderConsoleRequest,
  type WatchProviderConsoleResponse,
  WatchProviderConsoleResponseSchema,
  type WriteProviderConsoleRequest,
} from '../../../gen/runmachine/machine/v1/provider_console_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { unavailable } from '../../runtime/errors.ts';
import { forCaller } from '../../runtime/rpc/outgoing.ts';
import { type Connect, type Implementation, implement } from '../../runtime/service.ts';
import type { AgentHub, AgentSession, ConsoleHub, OpenConsole } from '../agent-port.ts';
import type { ControllerView, ProviderView } from '../domain/capacity.ts';
import { demandController } from '../domain/controller.ts';
import { aboutProvider, event } from '../domain/event.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import { type Controllers, controllerMessage } from '../order-port.ts';
import { output, prepend, pump, streamOptions, writable, wrongOrder } from './console-stream.ts';
import { demandFree, type HeldDeps } from './provider-held.ts';
import { actorOf, type RpcDeps } from './rpc-deps.ts';
import { findVisibleProvider } from './visible-provider.ts';

export type ProviderConsoleDeps = RpcDeps &
  HeldDeps & {
    readonly inventory: Pick<InventoryPort, 'findProvider'>;
    readonly pools: { readonly inPartition: (partition: string) => readonly ProviderView[] };
    readonly hub: Pick<AgentHub, 'sessionOf'>;
    readonly consoles: ConsoleHub;
    readonly controllers: Controllers;
    readonly connect: Connect;
    readonly replicaId: string;
  };

export const providerConsoleRpc = (deps: ProviderConsoleDeps): Implementation =>
  implement(ProviderConsoleService, {
    attachProviderConsole: (requests, context) => attach(deps, requests, context),
    watchProviderConsole: (request, context) => watch(deps, request, context),
    writeProviderConsole: (request, context) => write(deps, request, context),
  });

type Here = {
  readonly kind: 'here';
  readonly provider: ProviderView;
  readonly controller: ControllerView;
  readonly session: AgentSession;
};
type Site = Here | { readonly kind: 'there'; readonly address: string };

/** Errors: not_found, failed_precondition NO_CONTROLLER, unavailable NO_AGENT. */
const locate = async (
  deps: ProviderConsoleDeps,
  name: string,
  context: HandlerContext,
): Promise<Site> => {
  const provider = await findVisibleProvider(deps, name, context);
  const controller = demandController(provider);
  const key = await deps.controllers.agentFor(provider);
  const session = deps.hub.sessionOf(key);
  if (session !== undefined) return { kind: 'here', provider, controller, session };
  const agent = await deps.store.read((reader) => deps.records.agents.findByKey(reader, key));
  if (agent?.state !== 'up') throw noAgent(provider, `${key} is not connected`);
  // A call that was passed on already stops here: the row was old at one of the two.
  if (agent.replica === deps.replicaId || callOf(context).hops > 0) {
    throw noAgent(provider, `${key} has just moved`);
  }
  return { kind: 'there', address: agent.address };
};

const noAgent = ({ name }: ProviderView, why: string) =>
  unavailable('NO_AGENT', `The console of "${name}" cannot be reached: ${why}`, {
    metadata: { name },
    retryAfterMs: 1_000,
  });

const clientAt = (deps: ProviderConsoleDeps, address: string) =>
  createClient(ProviderConsoleService, deps.connect.transportToAddress(address));

async function* attach(
  deps: ProviderConsoleDeps,
  requests: AsyncIterable<AttachProviderConsoleRequest>,
  context: HandlerContext,
): AsyncGenerator<AttachProviderConsoleResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const content = first.done === true ? undefined : first.value.content;
  if (content?.case !== 'open') throw wrongOrder('the first message must open a console');
  const site = await locate(deps, content.value.name, context);
  if (site.kind === 'there') {
    const all = prepend(create(AttachProviderConsoleRequestSchema, { content }), iterator);
    yield* clientAt(deps, site.address).attachProviderConsole(all, streamOptions(context));
    return;
  }
  const opened = await open(deps, site, { asked: content.value, context });
  pump(iterator, opened).catch(() => opened.close());
  for await (const one of recorded(deps, opened)) {
    yield create(AttachProviderConsoleResponseSchema, { content: one });
  }
}

type Opening = { readonly asked: ProviderConsoleOpen; readonly context: HandlerContext };

const open = async (
  deps: ProviderConsoleDeps,
  { provider, controller, session }: Here,
  { asked, context }: Opening,
): Promise<OpenConsole> => {
  const { readOnly, replayBytes, force, reason } = asked;
  const { signal } = context;
  const machines = await demandFree(deps, provider, { force, reason, signal });
  const by = callOf(context).identity.principal;
  const site = { controller: controllerMessage(controller), provider: provider.name };
  const order = { readOnly, replayBytes, logOnly: false, by, reason, site };
  const opened = await deps.consoles.open(session, { targetUid: provider.uid, ...order }, signal);
  signal.addEventListener('abort', opened.close, { once: true });
  try {
    await deps.store.transaction(undefined, actorOf(context), async (tx) => {
      tx.audit({
        action: 'provider.console',
        objectKind: 'provider',
        objectUid: provider.uid,
        objectName: provider.name,
        partition: provider.partition,
        after: { read_only: opened.readOnly, force, reason },
      });
      const nowMs = deps.clock.now().getTime();
      const because = reason === '' ? '' : `: ${reason}`;
      const message = `${by} ${opened.readOnly ? 'reads' : 'opened'} the console${because}`;
      const draft = event(nowMs, { type: 'provider.console_opened', message });
      const rest = { recordMs: nowMs, principal: by, operation: '' };
      await deps.records.events.insert(tx, [
        { ...draft, ...aboutProvider(provider), ...rest, uid: deps.random.uid() },
      ]);
      const session = { uid: opened.id, targetUid: provider.uid, principal: by, sinceMs: nowMs };
      await deps.records.consoles.insert(tx, { ...session, replica: deps.replicaId });
      // The tenant of a machine there learns who looks at his console.
      for (const machine of machines) {
        await deps.writer.tell(tx, { machine, events: [draft], principal: by, operation: '' });
      }
    });
  } catch (error) {
    opened.close();
    throw error;
  }
  return opened;
};

/** While it lasts its controller stays with its agent. */
async function* recorded(deps: ProviderConsoleDeps, opened: OpenConsole) {
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
  deps: ProviderConsoleDeps,
  request: WatchProviderConsoleRequest,
  context: HandlerContext,
): AsyncGenerator<WatchProviderConsoleResponse> {
  const { open: asked } = request;
  if (asked === undefined) throw wrongOrder('the request must open a console');
  const site = await locate(deps, asked.name, context);
  if (site.kind === 'there') {
    const client = clientAt(deps, site.address);
    yield* client.watchProviderConsole(request, streamOptions(context));
    return;
  }
  const opened = await open(deps, site, { asked, context });
  for await (const content of recorded(deps, opened)) {
    yield create(WatchProviderConsoleResponseSchema, { content });
  }
}

const write = async (
  deps: ProviderConsoleDeps,
  request: WriteProviderConsoleRequest,
  context: HandlerContext,
) => {
  const site = await locate(deps, request.name, context);
  if (site.kind === 'there') {
    return clientAt(deps, site.address).writeProviderConsole(request, forCaller(context));
  }
  const by = callOf(context).identity.principal;
  const { sessionId } = request;
  const opened = writable(deps.consoles, { sessionId, by, targetUid: site.provider.uid });
  await opened.write(request.data);
  return {};
};
