/** Consoles for whoever has a token of one machine and perhaps no account (MAC-09). */
import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type IssueConsoleTokenRequest,
  type IssueConsoleTokenResponse,
  IssueConsoleTokenResponseSchema,
  type WatchConsoleByTokenRequest,
  type WatchConsoleByTokenResponse,
  WatchConsoleByTokenResponseSchema,
  type WriteConsoleByTokenRequest,
} from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { OVER } from '../../runtime/clock.ts';
import { callOf } from '../../runtime/context.ts';
import { isDomainError, permissionDenied, unauthenticated } from '../../runtime/errors.ts';
import { forCaller } from '../../runtime/rpc/outgoing.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import type { OpenConsole } from '../agent-port.ts';
import type { ConsoleToken } from '../console-ports.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import { type ConsoleRpcDeps, clientAt, known, locate, open, type Site } from './console-site.ts';
import { streamOptions, writable } from './console-stream.ts';
import { findVisible } from './machine-verbs.ts';
import { actorOf, callerOf } from './rpc-deps.ts';

const TOKEN_BYTES = 32;
const LIFETIME_MS = 600_000;

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Errors: not_found. */
export const issueToken = async (
  deps: ConsoleRpcDeps,
  { name, readOnly, lifetime }: IssueConsoleTokenRequest,
  context: HandlerContext,
): Promise<IssueConsoleTokenResponse> => {
  const token = `rct_${deps.random.bytes(TOKEN_BYTES).toString('base64url')}`;
  const lifetimeMs = lifetime === undefined ? LIFETIME_MS : durationMs(lifetime);
  const untilMs = deps.clock.now().getTime() + lifetimeMs;
  const { principal } = callerOf(context);
  await deps.store.transaction(undefined, actorOf(context), async (tx) => {
    const machine = await findVisible(deps, tx, { name, context });
    const row = { hash: hashOf(token), machineUid: machine.uid, readOnly, principal, untilMs };
    await deps.records.consoleTokens.insert(tx, row);
    tx.audit({
      action: 'machine.console_token_issued',
      objectKind: 'machine',
      objectUid: machine.uid,
      objectName: machineName(machine),
      projectUid: machine.project,
      partition: machine.partition,
      after: { read_only: readOnly, until: new Date(untilMs).toISOString() },
    });
  });
  return create(IssueConsoleTokenResponseSchema, { token, expireTime: timestampFromMs(untilMs) });
};

type Admitted = { readonly token: ConsoleToken; readonly site: Site };

const LEAVING: ReadonlySet<Machine['state']> = new Set(['releasing', 'release_failed', 'gone']);

/** The token and its machine, where both are still good. Errors: unauthenticated. */
const findToken = async (
  { records, clock }: Pick<ConsoleRpcDeps, 'records' | 'clock'>,
  reader: Reader,
  hash: string,
): Promise<{ readonly token: ConsoleToken; readonly machine: Machine }> => {
  const token = await records.consoleTokens.find(reader, hash);
  if (token === undefined || token.untilMs <= clock.now().getTime()) throw wrongToken();
  const [machine] = await records.machines.findMany(reader, [token.machineUid]);
  if (machine === undefined || LEAVING.has(machine.state)) throw wrongToken();
  return { token, machine };
};

/** Errors: unauthenticated BAD_CREDENTIALS, unavailable NO_AGENT. */
const admit = async (
  deps: ConsoleRpcDeps,
  presented: string,
  context: HandlerContext,
): Promise<Admitted> => {
  let token: ConsoleToken | undefined;
  const find = async (reader: Reader): Promise<Machine> => {
    const found = await findToken(deps, reader, hashOf(presented));
    token = found.token;
    return found.machine;
  };
  const site = await locate(deps, find, context);
  if (token === undefined) throw wrongToken();
  if (!(await deps.issuers.mayOpen(token.principal, site.machine))) throw wrongToken();
  return { token, site };
};

const wrongToken = () =>
  unauthenticated(
    'BAD_CREDENTIALS',
    'The console token is not known: it may be mistyped, over, its machine given back, or ' +
      'whoever made it may not open that console any more',
  );

/** As one caller, whoever of those that have the token it is. */
const byOf = ({ principal, hash }: ConsoleToken): string =>
  `${principal} (console token ${hash.slice(0, 8)})`;

export async function* watchByToken(
  deps: ConsoleRpcDeps,
  request: WatchConsoleByTokenRequest,
  context: HandlerContext,
): AsyncGenerator<WatchConsoleByTokenResponse> {
  const { token, site } = await admit(deps, request.token, context);
  if (site.kind === 'there') {
    yield* clientAt(deps, site.address).watchConsoleByToken(request, streamOptions(context));
    return;
  }
  const { replayBytes, reason } = request;
  const { principal } = token;
  const actor = { principal, requestId: callOf(context).requestId };
  const opened = await open(deps, site, {
    ...{ by: byOf(token), principal, actor, replayBytes, reason, context },
    readOnly: request.readOnly || token.readOnly,
  });
  using end = endWith(deps, token, opened);
  for await (const content of known(deps, opened)) {
    const why = content.content.case === 'closed' ? end.why() : '';
    const shown = why === '' ? content : { content: { case: 'closed' as const, value: why } };
    yield create(WatchConsoleByTokenResponseSchema, { content: shown });
  }
}

const LOOK_MS = 2_000;
/** A token goes on for so long while nobody can say whether it is still good. */
const UNKNOWN_MS = 30_000;

type End = Disposable & { readonly why: () => string };

/** Closes it when the token is over, its machine is given back or its maker lost the right. */
const endWith = (deps: ConsoleRpcDeps, token: ConsoleToken, opened: OpenConsole): End => {
  const { clock } = deps;
  const ended = new AbortController();
  let why = '';
  const watch = async (): Promise<void> => {
    let knownMs = clock.monotonicMs();
    while (why === '') {
      const restMs = Math.max(0, token.untilMs - clock.now().getTime());
      await clock.sleep(Math.min(LOOK_MS, restMs), ended.signal);
      const standing = restMs <= LOOK_MS ? 'over' : await standingOf(deps, token);
      if (standing !== 'unknown') knownMs = clock.monotonicMs();
      if (standing === 'over') why = 'the time of the console token is over';
      if (standing === 'gone') why = 'the machine is being given back';
      if (standing === 'refused') why = `${token.principal} may not open this console any more`;
      if (clock.monotonicMs() - knownMs > UNKNOWN_MS) why = 'nobody can say who may be here';
    }
    opened.close();
  };
  watch().catch(() => undefined);
  return { why: () => why, [Symbol.dispose]: () => ended.abort(OVER) };
};

const standingOf = async (
  deps: ConsoleRpcDeps,
  { hash, principal }: ConsoleToken,
): Promise<'good' | 'gone' | 'refused' | 'unknown'> => {
  try {
    const { machine } = await deps.store.read((reader) => findToken(deps, reader, hash));
    return (await deps.issuers.mayOpen(principal, machine)) ? 'good' : 'refused';
  } catch (error) {
    return isDomainError(error, 'unauthenticated') ? 'gone' : 'unknown';
  }
};

export const writeByToken = async (
  deps: ConsoleRpcDeps,
  request: WriteConsoleByTokenRequest,
  context: HandlerContext,
) => {
  const { token, site } = await admit(deps, request.token, context);
  if (token.readOnly) throw readsOnly();
  if (site.kind === 'there') {
    return clientAt(deps, site.address).writeConsoleByToken(request, forCaller(context));
  }
  const asked = { sessionId: request.sessionId, by: byOf(token), targetUid: token.machineUid };
  await writable(deps.consoles, asked).write(request.data);
  return {};
};

const readsOnly = () =>
  permissionDenied('NOT_ALLOWED', 'This console token only reads; ask for one that types');
