/**
 * Orders to agents whose session is here: sent down, and their results awaited. Bounded in number
 * and time. An order names a secret only for as long as it is open: the row is what lets the agent
 * read it, at whichever replica it asks.
 */
import type { BmcAnswer, BmcOrder } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { type Clock, OVER } from '../../runtime/clock.ts';
import { resourceExhausted, unavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { AgentSession, Report } from '../agent-port.ts';
import type { OpenOrder } from '../hardware-ports.ts';
import type { OrderResult, PlacedOrder } from '../order-port.ts';
import type { Records } from '../ports.ts';
import { createTogether } from './together.ts';

export type Lent = {
  readonly commandId: string;
  /** Empty = at no controller that is recorded. */
  readonly providerUid: string;
  /** Empty = none. */
  readonly secret: string;
  readonly forMs: number;
};

export type OrderHub = {
  /**
   * Errors: unavailable NO_AGENT when the session ends first or the time is over (nobody knows what
   * was done then; the same id may be given again), resource_exhausted.
   */
  readonly place: (
    session: AgentSession,
    placed: PlacedOrder,
    signal: AbortSignal,
  ) => Promise<OrderResult>;
  readonly commandResult: (report: Extract<Report, { kind: 'command-result' }>) => void;
  readonly sessionEnded: (session: AgentSession) => void;
  /**
   * Lets the agent read a secret for some time, or longer than before. Errors: unavailable NO_AGENT
   * when another agent works at that controller by now.
   */
  readonly lend: (session: AgentSession, lent: Lent) => Promise<void>;
  /** What cannot be taken back ends with its time. */
  readonly takeBack: (commandId: string) => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'hardware'>;
  readonly clock: Clock;
  readonly log: Logger;
};

type Open = {
  readonly session: AgentSession;
  readonly result: Promise<OrderResult>;
  readonly resolve: (result: OrderResult) => void;
  readonly reject: (error: unknown) => void;
};

const ORDERS_MAX = 4_096;
/** Beyond what the agent may take: the way there and back. */
const WAY_MS = 5_000;
const ACTOR = { principal: 'services/machine', requestId: 'orders' };

export const createOrderHub = (deps: Deps): OrderHub => {
  const open = new Map<string, Open>();
  const { hardware } = deps.records;
  /** Not opened, because their controllers have other agents by now. */
  const moved = new Set<string>();
  const lending = createTogether<OpenOrder>(async (orders) => {
    const work = (tx: Tx) => hardware.openOrders(tx, orders);
    for (const id of await deps.store.transaction(undefined, ACTOR, work)) moved.add(id);
  });
  const takingBack = createTogether<string>((commandUids) =>
    deps.store.transaction(undefined, ACTOR, (tx) => hardware.closeOrders(tx, commandUids)),
  );
  const lend: OrderHub['lend'] = async (session, { commandId, providerUid, secret, forMs }) => {
    if (secret === '' && providerUid === '') return;
    const untilMs = deps.clock.now().getTime() + forMs;
    const { agentKey } = session;
    const secretKey = secret.toLowerCase();
    await lending.add({ commandUid: commandId, agentKey, providerUid, secretKey, untilMs });
    if (moved.delete(commandId)) throw hasMoved(session);
  };
  const takeBack = async (commandId: string): Promise<void> => {
    await takingBack
      .add(commandId)
      .catch((error: unknown) => deps.log.warn({ err: error }, 'an order stays open till its end'));
  };
  const run = async (session: AgentSession, placed: PlacedOrder): Promise<void> => {
    const { commandId, validForMs, order } = placed;
    const { providerUid } = order;
    const secret = secretOf(order);
    const forMs = validForMs + timeoutMsOf(order) + WAY_MS;
    const limit = new AbortController();
    try {
      await lend(session, { commandId, providerUid, secret, forMs });
      if (!session.outbox.push({ kind: 'order', commandId, validForMs, order })) {
        throw lost(session, 'its session is ending');
      }
      const late = deps.clock.sleep(forMs, limit.signal).then((): never => {
        throw lost(session, `it did not answer within ${Math.ceil(forMs / 1000)} s`);
      });
      late.catch(() => undefined);
      await Promise.race([open.get(commandId)?.result, late]);
    } catch (error) {
      open.get(commandId)?.reject(error);
    } finally {
      limit.abort(OVER);
      open.delete(commandId);
      if (secret !== '' || providerUid !== '') await takeBack(commandId);
    }
  };
  return {
    lend,
    takeBack,
    place: async (session, placed, signal) => {
      // A repeat waits for the first.
      const known = open.get(placed.commandId);
      if (known !== undefined) return orAborted(known.result, signal);
      if (open.size >= ORDERS_MAX) throw tooMany();
      const { promise: result, resolve, reject } = Promise.withResolvers<OrderResult>();
      result.catch(() => undefined);
      open.set(placed.commandId, { session, result, resolve, reject });
      run(session, placed).catch((error: unknown) => reject(error));
      return orAborted(result, signal);
    },
    commandResult: ({ commandId, failure, answer }) => {
      open
        .get(commandId)
        ?.resolve(failure === null ? { kind: 'done', answer } : { kind: 'failed', ...failure });
    },
    sessionEnded: (session) => {
      for (const one of open.values()) {
        if (one.session === session) one.reject(lost(session, 'its session has ended'));
      }
    },
  };
};

const secretOf = ({ controller, work }: BmcOrder): string =>
  work.case === 'scan' ? work.value.secret : (controller?.secret ?? '');

export const timeoutMsOf = ({ timeout }: BmcOrder): number =>
  timeout === undefined ? 0 : Number(timeout.seconds) * 1000 + timeout.nanos / 1e6;

/** Whoever asked goes away; the order goes on. */
const orAborted = <T>(result: Promise<T>, signal: AbortSignal): Promise<T> => {
  if (signal.aborted) return Promise.reject(signal.reason);
  const gone = Promise.withResolvers<never>();
  const onAbort = () => gone.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([result, gone.promise]).finally(() =>
    signal.removeEventListener('abort', onAbort),
  );
};

const lost = (session: AgentSession, why: string) =>
  unavailable('NO_AGENT', `The agent ${session.name} was lost while it worked: ${why}`, {
    metadata: { agent: session.name },
    retryAfterMs: 1_000,
  });

/** Nothing was sent: the order may be placed at the other agent. */
const hasMoved = (session: AgentSession) =>
  unavailable('NO_AGENT', `Another agent than ${session.name} works at that controller by now`, {
    metadata: { agent: session.name, begun: 'no' },
    retryAfterMs: 1_000,
  });

const tooMany = () =>
  resourceExhausted('BUSY', `${ORDERS_MAX} orders to agents are open at this replica already`, {
    retryAfterMs: 1_000,
  });

export type { BmcAnswer };
