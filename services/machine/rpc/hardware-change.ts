/**
 * What changes something at a controller: refused while a tenant holds it, done once per request
 * id, recorded in the audit and the timeline whether it succeeded or not.
 */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { BmcAnswer } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { callOf, requestKeyOf } from '../../runtime/context.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { derivedRequestId } from '../../runtime/random.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { aboutMachine, aboutProvider, type EventDraft, event } from '../domain/event.ts';
import type { Machine } from '../domain/machine.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import type { BmcWork, Orders } from '../order-port.ts';
import { answered } from './answered.ts';
import { demandFree, type HeldDeps } from './provider-held.ts';
import { actorOf, callerOf, type RpcDeps } from './rpc-deps.ts';
import { findVisibleProvider } from './visible-provider.ts';

export type HardwareDeps = RpcDeps &
  HeldDeps & {
    readonly inventory: Pick<InventoryPort, 'findProvider'>;
    readonly pools: { readonly inPartition: (partition: string) => readonly ProviderView[] };
    readonly orders: Orders;
  };

/** What a read or a change may take at the controller. */
export const WORK_MS = 60_000;
/** Of the text of an event. */
const MESSAGE_MAX = 2_000;

export type HardwareChange<D extends DescMessage> = {
  readonly request: {
    readonly name: string;
    readonly requestId: string;
    readonly reason: string;
    readonly force?: boolean;
  };
  /** Harmless whoever holds it, for example a light. */
  readonly isHarmless?: boolean;
  /** "provider.power_changed": of the event; the audit's action is the same without "provider.". */
  readonly type: string;
  readonly work: BmcWork;
  readonly isSafeTwice: boolean;
  /** "turned the power on" */
  readonly sentence: string;
  /** Into the audit. */
  readonly said: Readonly<Record<string, string>>;
  readonly schema: D;
  readonly answer: (answer: BmcAnswer) => MessageShape<D>;
};

export const changeHardware = async <D extends DescMessage>(
  deps: HardwareDeps,
  context: HandlerContext,
  change: HardwareChange<D>,
): Promise<MessageShape<D>> => {
  const { request, schema, work, isSafeTwice } = change;
  const { signal } = context;
  const provider = await findVisibleProvider(deps, request.name, context);
  const earlier = await answered(deps.store, context, schema);
  if (earlier !== undefined) return earlier;
  const { force = false, reason } = request;
  const machines =
    change.isHarmless === true ? [] : await demandFree(deps, provider, { force, reason, signal });
  const commandId = commandIdOf(context, request.requestId);
  const done = { change, provider, machines };
  let answer: BmcAnswer;
  try {
    const ordered = { work, commandId, timeoutMs: WORK_MS, isSafeTwice };
    answer = await deps.orders.atProvider(provider, ordered, signal);
  } catch (error) {
    const failure = isDomainError(error)
      ? { reason: error.reason, message: error.message }
      : { reason: 'INTERNAL', message: '' };
    await deps.store.transaction(undefined, actorOf(context), (tx) =>
      record(deps, tx, { ...done, context, failure }),
    );
    throw error;
  }
  return deps.store.transaction(requestKeyOf(context, schema), actorOf(context), async (tx) => {
    await record(deps, tx, { ...done, context, failure: undefined });
    return change.answer(answer);
  });
};

/** The same for every repeat of a request of that caller, and for no other. */
export const commandIdOf = (context: HandlerContext, requestId: string): string => {
  const { identity, method } = callOf(context);
  return derivedRequestId(requestId, `${identity.principal} ${method}`);
};

type Recorded<D extends DescMessage> = {
  readonly change: HardwareChange<D>;
  readonly provider: ProviderView;
  readonly machines: readonly Machine[];
  readonly context: HandlerContext;
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
};

const record = async <D extends DescMessage>(
  deps: HardwareDeps,
  tx: Tx,
  { change, provider, machines, context, failure }: Recorded<D>,
): Promise<void> => {
  const { principal } = callerOf(context);
  const { reason, force = false } = change.request;
  const nowMs = deps.clock.now().getTime();
  const because = reason === '' ? '' : `: ${reason}`;
  const message =
    failure === undefined
      ? `${principal} ${change.sentence}${because}`
      : `${principal} tried in vain (${change.sentence}${because}): ${failure.reason}`;
  const severity = failure === undefined ? 'info' : 'warning';
  const draft = event(nowMs, { type: change.type, severity, message, data: { reason } });
  const cause = failure === undefined || failure.message === '' ? '' : `. ${failure.message}`;
  await tell(deps, tx, { provider, machines, draft, cause, principal });
  tx.audit({
    action: change.type,
    objectKind: 'provider',
    objectUid: provider.uid,
    objectName: provider.name,
    partition: provider.partition,
    after: { ...change.said, reason, force, outcome: failure?.reason ?? 'done' },
  });
};

type Told = {
  readonly provider: ProviderView;
  readonly machines: readonly Machine[];
  readonly draft: EventDraft;
  /** In the controller's own words, which may hold its address: for operators alone. */
  readonly cause: string;
  readonly principal: string;
};

const tell = async (
  { records, random }: HardwareDeps,
  tx: Tx,
  { provider, machines, draft, cause, principal }: Told,
): Promise<void> => {
  const message = `${draft.message}${cause}`.slice(0, MESSAGE_MAX);
  const drafts = [
    { ...draft, message, ...aboutProvider(provider) },
    ...machines.map((machine) => ({ ...draft, ...aboutMachine(machine) })),
  ];
  const recordMs = draft.timeMs;
  await records.events.insert(
    tx,
    drafts.map((one) => ({
      ...one,
      uid: random.uid(),
      recordMs,
      principal,
      operation: '',
    })),
  );
};
