/**
 * Consoles live at the replica that holds the agent's session; any other replica passes the call
 * on, once more, with one hop counted, and relays what comes back.
 */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
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
import { forCaller } from '../../runtime/rpc/outgoing.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { issueToken, watchByToken, writeByToken } from './console-by-token.ts';
import { linesWith } from './console-lines.ts';
import { type ConsoleRpcDeps, clientAt, known, locate, open, type Site } from './console-site.ts';
import { prepend, pump, streamOptions, writable, wrongOrder } from './console-stream.ts';
import { findVisible } from './machine-verbs.ts';
import { actorOf } from './rpc-deps.ts';

export const consoleRpc = (deps: ConsoleRpcDeps): Implementation =>
  implement(ConsoleService, {
    attachConsole: (requests, context) => attach(deps, requests, context),
    watchConsole: (request, context) => watch(deps, request, context),
    writeConsole: (request, context) => write(deps, request, context),
    getConsoleLog: (request, context) => readLog(deps, request, context),
    issueConsoleToken: (request, context) => issueToken(deps, request, context),
    watchConsoleByToken: (request, context) => watchByToken(deps, request, context),
    writeConsoleByToken: (request, context) => writeByToken(deps, request, context),
  });

const siteOf = (deps: ConsoleRpcDeps, name: string, context: HandlerContext): Promise<Site> =>
  locate(deps, (reader) => findVisible(deps, reader, { name, context }), context);

const caller = (context: HandlerContext) => {
  const { principal } = callOf(context).identity;
  return { by: principal, principal, actor: actorOf(context), context };
};

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
  const site = await siteOf(deps, name, context);
  if (site.kind === 'there') {
    const all = prepend(create(AttachConsoleRequestSchema, { content }), iterator);
    yield* clientAt(deps, site.address).attachConsole(all, streamOptions(context));
    return;
  }
  const opened = await open(deps, site, { readOnly, replayBytes, reason, ...caller(context) });
  const typing = pump(iterator, opened);
  typing.catch(() => opened.close());
  yield* known(deps, opened);
}

async function* watch(
  deps: ConsoleRpcDeps,
  request: WatchConsoleRequest,
  context: HandlerContext,
): AsyncGenerator<WatchConsoleResponse> {
  const site = await siteOf(deps, request.name, context);
  if (site.kind === 'there') {
    yield* clientAt(deps, site.address).watchConsole(request, streamOptions(context));
    return;
  }
  const { readOnly, replayBytes, reason } = request;
  const opened = await open(deps, site, { readOnly, replayBytes, reason, ...caller(context) });
  for await (const content of known(deps, opened)) {
    yield create(WatchConsoleResponseSchema, { content });
  }
}

const write = async (
  deps: ConsoleRpcDeps,
  request: WriteConsoleRequest,
  context: HandlerContext,
) => {
  const site = await siteOf(deps, request.name, context);
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
  const site = await siteOf(deps, request.name, context);
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
