/**
 * Accept, maintain, quarantine and return: the scheduler decides first, then the row is written,
 * with both in one turn of the provider (provider-turn.ts).
 */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';

import type { HandlerContext } from '@connectrpc/connect';
import type { ProviderState as ProviderStateMessage } from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition, isDomainError } from '../../runtime/errors.ts';
import { derivedRequestId } from '../../runtime/random.ts';
import { checkEtag } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { isControlled, type ProviderView } from '../domain/capacity.ts';
import { aboutProvider, event } from '../domain/event.ts';
import type { ProviderVerb } from '../domain/provider-lifecycle.ts';
import {
  afterVerb,
  type Cleaning,
  isTold,
  nextLife,
  opensItself,
  type ProviderState,
} from '../domain/provider-state.ts';
import type { InventoryPort, SchedulerPort } from '../neighbours-port.ts';
import { busy, type ProviderTurn, waitForTurn } from '../provider-turn.ts';
import { answered } from './answered.ts';
import { providerStateMessage, stateEtag } from './provider-state-message.ts';
import { beginTasks, stopTasks } from './provider-tasks.ts';
import { actorOf, callerOf, type RpcDeps } from './rpc-deps.ts';

export type ProviderStateNeighbours = {
  readonly inventory: Pick<InventoryPort, 'findProvider' | 'recordDiscoveries'>;
  readonly scheduler: Pick<SchedulerPort, 'tell' | 'usage' | 'finishRelease'>;
  readonly pools: {
    readonly find: (providerUid: string) => ProviderView | undefined;
    readonly inPartition: (partition: string) => readonly ProviderView[];
    readonly partitions: () => ReadonlySet<string>;
    readonly isSynced: () => boolean;
  };
  readonly opener: { readonly look: (providerUid: string) => void };
  /** Whether something is configured that cleans it. */
  readonly cleans: (provider: ProviderView) => boolean;
  /** What a cleaning may take; undefined = nothing is configured that cleans. */
  readonly cleaningMs: number | undefined;
  /** How long a worker may go on that has not noticed yet that his task was ended. */
  readonly taskEndMs: number;
  readonly tasks: { readonly nudge: () => void };
};

export type ProviderRpcDeps = RpcDeps & ProviderStateNeighbours;

type Asked<D extends DescMessage> = {
  readonly verb: ProviderVerb;
  readonly provider: ProviderView;
  readonly request: { readonly reason: string; readonly etag: string };
  readonly response: D;
  readonly answer: (state: ProviderStateMessage) => MessageShape<D>;
};

export const changeLife = async <D extends DescMessage>(
  deps: ProviderRpcDeps,
  context: HandlerContext,
  asked: Asked<D>,
): Promise<MessageShape<D>> => {
  const { provider, response } = asked;
  const turn = await waitForTurn(deps, provider, context.signal);
  let isOver = false;
  try {
    // A repeat is answered as it was, whatever the state is today.
    const earlier = await answered(deps.store, context, response);
    if (earlier !== undefined) return earlier;
    const decided = await decide(deps, turn, { ...asked, context });
    const answer = await write(deps, context, { ...asked, turn, ...decided });
    isOver = true;
    return answer;
  } finally {
    if (!isOver) await turn.giveUp();
    deps.opener.look(provider.uid);
    deps.tasks.nudge();
  }
};

type Decided = {
  readonly after: ProviderState;
  readonly cleaned: readonly Cleaning[];
  /** False: nobody knows what the scheduler holds, and it is told as soon as it answers. */
  readonly isCertain: boolean;
};

/** What the verb leads to; the scheduler has agreed. */
const decide = async <D extends DescMessage>(
  deps: ProviderRpcDeps,
  { known, isDrained, tell }: ProviderTurn,
  { verb, provider, request, context }: Asked<D> & { readonly context: HandlerContext },
): Promise<Decided> => {
  const { signal } = context;
  checkEtag(request.etag, stateEtag(known, deps.store.incarnation()));
  const waiting = await deps.store.read((reader) =>
    deps.records.cleanings.ofProviders(reader, [provider.uid]),
  );
  const next = nextLife(verb, known, {
    name: provider.name,
    opensItself: opensItself(provider),
    isControlled: isControlled(provider),
    cleanings: waiting,
  });
  if (verb === 'clean' && !deps.cleans(provider)) throw nothingCleans(provider.name);
  const nowMs = deps.clock.now().getTime();
  const { principal } = callerOf(context);
  await stopTasks(deps, { verb, provider, principal, cleanings: waiting, context });
  const cleaned = verb === 'return' || verb === 'adopt' ? waiting : [];
  for (const { claim: name, claimUid, providerUid } of cleaned) {
    const requestId = derivedRequestId(claimUid, `finish ${providerUid}`);
    await deps.scheduler.finishRelease({ name, providerUid, requestId }, signal);
  }
  const after = afterVerb(known, next, { reason: request.reason, principal, nowMs });
  const { generation } = provider;
  const isNews = next !== known.state || !isTold(known, { generation, isDrained });
  const isTellable = next !== 'enrolled' && next !== 'inspecting';
  // Whoever died while he told the scheduler leaves that open: it is closed until it is told.
  if (!isTellable || !isNews) return { after, cleaned, isCertain: known.owner === null };
  try {
    const isShut = isDrained || provider.isNeverProvisioned;
    await tell(next !== 'available' || isShut, signal);
  } catch (error) {
    // What is not to be trusted is out of the pool for us, even while the scheduler is away.
    if (verb !== 'quarantine' || !isAway(error) || signal.aborted) throw error;
    const message = 'The scheduler does not answer; it is told as soon as it does';
    const problem = { reason: 'SERVICE_UNAVAILABLE', message, sinceMs: nowMs, retryMs: nowMs };
    return { after: { ...after, problem }, cleaned, isCertain: false };
  }
  return { after: { ...after, generation, isDrained }, cleaned, isCertain: true };
};

const isAway = (error: unknown): boolean =>
  isDomainError(error, 'unavailable') || isDomainError(error, 'deadline_exceeded');

const nothingCleans = (name: string) =>
  failedPrecondition(
    'INVALID_STATE',
    `Nothing is configured that cleans "${name}"; when it is clean, return it`,
    { metadata: { name } },
  );

const write = async <D extends DescMessage>(
  deps: ProviderRpcDeps,
  context: HandlerContext,
  change: Asked<D> & Decided & { readonly turn: ProviderTurn },
): Promise<MessageShape<D>> => {
  const { provider, response, turn, after, cleaned, isCertain } = change;
  // Asked before the transaction: nobody waits for another service while it holds the row.
  const inUse = await deps.scheduler
    .usage({ partition: provider.partition, providerUid: provider.uid }, context.signal)
    .then(
      (usage) => usage?.inUse ?? false,
      () => undefined,
    );
  const key = requestKeyOf(context, response);
  return deps.store.transaction(key, actorOf(context), async (tx) => {
    const { records, store } = deps;
    const saved = await records.providers.save(tx, after, turn.owner, isCertain);
    if (!saved) throw busy(provider.name);
    const doneMs = deps.clock.now().getTime();
    for (const one of cleaned) await records.cleanings.save(tx, { ...one, doneMs });
    await beginTasks(deps, tx, { ...change, principal: callerOf(context).principal });
    const cleanings = await records.cleanings.ofProviders(tx, [provider.uid]);
    const known = { ...after, version: after.version + 1 };
    const { cleaningMs } = deps;
    const state = { provider: provider.name, known, cleanings, inUse, cleaningMs };
    await tellOf(deps, tx, { ...change, principal: callerOf(context).principal });
    return change.answer(providerStateMessage(state, store.incarnation()));
  });
};

type Told = Decided & {
  readonly verb: ProviderVerb;
  readonly provider: ProviderView;
  readonly request: { readonly reason: string };
  readonly turn: ProviderTurn;
  readonly principal: string;
};

const SENTENCES: Readonly<Record<ProviderVerb, string>> = {
  accept: 'accepted it',
  maintain: 'took it out for maintenance',
  quarantine: 'quarantined it',
  return: 'returned it',
  inspect: 'has it inspected',
  clean: 'has it cleaned again',
  adopt: 'adopted it as in order and clean',
  retire: 'retired it',
};

const TYPES: Readonly<Record<ProviderVerb, string>> = {
  accept: 'provider.accepted',
  maintain: 'provider.maintenance',
  quarantine: 'provider.quarantined',
  return: 'provider.returned',
  inspect: 'provider.inspection_asked',
  clean: 'provider.cleaning_asked',
  adopt: 'provider.adopted',
  retire: 'provider.retired',
};

const tellOf = async ({ records, clock, random }: ProviderRpcDeps, tx: Tx, told: Told) => {
  const { verb, provider, request, turn, after, cleaned, principal } = told;
  const { reason } = request;
  const nowMs = clock.now().getTime();
  const because = reason === '' ? '' : `: ${reason}`;
  const claims = cleaned.map(({ claim }) => claim);
  const draft = event(nowMs, {
    type: TYPES[verb],
    severity: verb === 'quarantine' ? 'warning' : 'info',
    message: `${principal} ${SENTENCES[verb]}${because}`,
    data: { reason, ...(claims.length > 0 && { claims: claims.join(',') }) },
  });
  const about = aboutProvider(provider);
  await records.events.insert(tx, [
    { ...draft, ...about, uid: random.uid(), recordMs: nowMs, principal, operation: '' },
  ]);
  tx.audit({
    action: `provider.${verb}`,
    objectKind: 'provider',
    objectUid: provider.uid,
    objectName: provider.name,
    partition: provider.partition,
    before: { state: turn.known.state },
    after: { state: after.state, reason, claims },
  });
};
