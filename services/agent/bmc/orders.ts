import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import {
  type BmcAnswer,
  BmcAnswerSchema,
  type BmcOrder,
  BmcOrderSchema,
} from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { CommandResultSchema } from '../../../gen/runmachine/agent/v1/report_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { BmcJournal, KeptOrder, ReceivedOrder } from '../bmc-journal.ts';
import type { BmcDriver } from '../bmc-port.ts';
import {
  isRepeatable,
  type OrderWork,
  type Recovery,
  recoverOrder,
} from '../domain/order-recovery.ts';
import type { DoneOrder, Reporter } from '../work/reporter.ts';
import { type Batch, createBatch } from './batch.ts';
import type { BmcSessions } from './bmc-sessions.ts';
import { controllerRef } from './controller-ref.ts';
import { type Controllers, TurnNeverCame } from './controllers.ts';
import type { Credentials } from './credentials.ts';
import { failureOf, type OrderFailure } from './order-failure.ts';
import { doOrder, type OrderSetting, seenAfter } from './order-work.ts';
import { scan } from './scan.ts';

/**
 * One-shot work on controllers, journaled by the id of its command: done once, and a repeated id
 * answers what was recorded. A change is begun only in the session in which it was given, or given
 * again: who gave it has given it up with the session, and the server may have another machine by
 * the time that it is its turn here.
 */
export type Orders = {
  readonly take: (command: {
    readonly id: string;
    readonly validForMs: number;
    readonly order: BmcOrder;
  }) => void;
  /** Takes up what an earlier process left. */
  readonly resume: () => void;
  /** Resolves when what is under way has ended. */
  readonly idle: () => Promise<void>;
};

export type OrdersDeps = {
  readonly journal: BmcJournal;
  readonly reporter: Pick<Reporter, 'ordersDone'>;
  readonly controllers: Controllers;
  readonly sessions: BmcSessions;
  readonly credentials: Credentials;
  readonly drivers: readonly BmcDriver[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Number of the session with the control plane; undefined = there is none. */
  readonly session: () => number | undefined;
};

const UNDER_WAY_MAX = 4_096;
const TIMEOUT_MS = { usual: 60_000, max: 3_600_000 } as const;
const LOOK_MS = 60_000;

export const createOrders = (options: OrdersDeps): Orders => {
  const results = createBatch(options.reporter.ordersDone);
  /** The session in which an order was given last, by its id. */
  const given = new Map<string, number | undefined>();
  const isStillWanted = (id: string): boolean => {
    const session = options.session();
    return session !== undefined && given.get(id) === session;
  };
  const deps: WorkDeps = { ...options, results, isStillWanted };
  const underWay = new Map<string, Promise<void>>();
  const start = (kept: KeptOrder): void => {
    if (underWay.has(kept.id)) return;
    const work = perform(deps, kept)
      .catch((error: unknown) => {
        if (!deps.signal.aborted) deps.log.error({ err: error, order: kept.id }, 'an order broke');
      })
      .finally(() => {
        underWay.delete(kept.id);
        given.delete(kept.id);
      });
    underWay.set(kept.id, work);
  };
  const received = createBatch<ReceivedOrder>((orders) => {
    for (const kept of deps.journal.receiveOrders(orders)) {
      if (kept.isNew && underWay.size >= UNDER_WAY_MAX) refuse(kept);
      else start(kept);
    }
  });
  const refuse = (kept: KeptOrder): void => {
    const message = `This agent has ${UNDER_WAY_MAX} orders under way; repeat it later`;
    given.delete(kept.id);
    finish(deps, kept, { failure: { reason: 'BMC_BUSY', message } }).catch(lost);
  };
  const lost = (error: unknown): void => {
    deps.log.error({ err: error }, 'orders could not be written down');
  };
  let taking: Promise<void> = Promise.resolve();
  return {
    take: ({ id, validForMs, order }) => {
      given.set(id, options.session());
      taking = received
        .add({
          id,
          work: workOf(order),
          bytes: toBinary(BmcOrderSchema, order),
          receivedMs: deps.clock.now().getTime(),
          validForMs,
        })
        .catch(lost);
    },
    resume: () => {
      for (const kept of deps.journal.openOrders()) {
        // It waits to be given again; one that is too old is told as expired.
        if (isChange(kept) && recoveryOf(deps, kept) === 'do') continue;
        start(kept);
      }
    },
    idle: async () => {
      await taking;
      await Promise.all(underWay.values());
    },
  };
};

const workOf = ({ work }: BmcOrder): OrderWork => {
  const names: Readonly<Record<NonNullable<BmcOrder['work']['case']>, OrderWork>> = {
    probe: 'probe',
    readFacts: 'read_facts',
    readPower: 'read_power',
    changePower: 'change_power',
    readBootDevice: 'read_boot_device',
    setBootDevice: 'set_boot_device',
    readSensors: 'read_sensors',
    readLog: 'read_log',
    clearLog: 'clear_log',
    setIndicator: 'set_indicator',
    raw: 'raw',
    rotate: 'rotate',
    scan: 'scan',
    readMedia: 'read_media',
    insertMedia: 'insert_media',
    ejectMedia: 'eject_media',
    readBios: 'read_bios',
    setBios: 'set_bios',
  };
  return work.case === undefined ? 'raw' : names[work.case];
};

type WorkDeps = OrdersDeps & {
  readonly results: Batch<DoneOrder>;
  readonly isStillWanted: (id: string) => boolean;
};

const isChange = ({ work }: KeptOrder): boolean => !isRepeatable(work);

const recoveryOf = ({ clock }: OrdersDeps, { state, work, ...kept }: KeptOrder): Recovery => {
  const { receivedMs, validForMs } = kept;
  return recoverOrder(state, work, { receivedMs, validForMs, nowMs: clock.now().getTime() });
};

const perform = async (deps: WorkDeps, kept: KeptOrder): Promise<void> => {
  const recovery = recoveryOf(deps, kept);
  if (recovery === 'tell_again') return tellAgain(deps, kept);
  try {
    const order = fromBinary(BmcOrderSchema, kept.bytes);
    if (recovery === 'expired') throw new TurnNeverCame('it was found too late in the journal');
    if (recovery === 'look_and_tell') {
      await finish(deps, kept, await unknown(deps, kept, order));
      return;
    }
    await finish(deps, kept, { answer: await answerOf(deps, kept, order) });
  } catch (error) {
    // The process ends: the journal says what was under way, and the next one goes on from it.
    if (deps.signal.aborted) return;
    const failure = failureOf(error);
    deps.log.info({ order: kept.id, work: kept.work, reason: failure.reason }, 'an order failed');
    await finish(deps, kept, { failure });
  }
};

const answerOf = async (deps: WorkDeps, kept: KeptOrder, order: BmcOrder): Promise<BmcAnswer> => {
  // What may be done again need not be known to have begun.
  const begins = () => {
    if (!isChange(kept)) return;
    if (!deps.isStillWanted(kept.id)) {
      throw new TurnNeverCame('the session in which it was given ended before its turn came');
    }
    deps.journal.beginOrder(kept.id);
  };
  if (order.work.case === 'scan') {
    begins();
    const limit = AbortSignal.timeout(timeoutOf(order.timeout));
    const found = await scan(deps, order.work.value, { signal: deps.signal, limit });
    return create(BmcAnswerSchema, { content: { case: 'scan', value: found } });
  }
  return onController(deps, { kept, order, begins }, (setting) => doOrder(deps, order, setting));
};

type Asked = {
  readonly kept: KeptOrder;
  readonly order: BmcOrder;
  readonly begins?: () => void;
};

const onController = <T>(
  deps: OrdersDeps,
  { kept, order, begins }: Asked,
  work: (setting: OrderSetting) => Promise<T>,
): Promise<T> => {
  const ref = controllerRef(order.controller, order.provider);
  const job = {
    kind: kept.work,
    beginWithinMs: kept.validForMs,
    timeoutMs: timeoutOf(order.timeout),
    isRepeatable: kept.work !== 'rotate' && isRepeatable(kept.work),
    ...(begins ? { begins } : {}),
    signal: deps.signal,
  };
  return deps.controllers.run(ref, job, (access, signal) => work({ ref, access, signal }));
};

/** The answer to a change that was under way when the agent died: what is seen now. */
const unknown = async (
  deps: OrdersDeps,
  kept: KeptOrder,
  order: BmcOrder,
): Promise<{ readonly failure: OrderFailure }> => {
  const looking = { ...order, timeout: undefined };
  const asked = { kept: { ...kept, validForMs: LOOK_MS }, order: looking };
  const seen = await onController(deps, asked, (setting) => seenAfter(order.work, setting)).catch(
    (error: unknown) => `it cannot be read: ${failureOf(error).message}`,
  );
  deps.signal.throwIfAborted();
  const told = seen === '' ? 'what came of it cannot be read' : seen;
  const message = `The agent died while it did this, so the outcome is unknown; ${told}`;
  return { failure: { reason: 'OUTCOME_UNKNOWN', message: message.slice(0, 2_000) } };
};

const timeoutOf = (timeout: Duration | undefined): number =>
  Math.min(TIMEOUT_MS.max, (timeout && durationMs(timeout)) || TIMEOUT_MS.usual);

type Outcome = { readonly answer: BmcAnswer } | { readonly failure: OrderFailure };

const finish = (
  { journal, results }: WorkDeps,
  { id }: KeptOrder,
  outcome: Outcome,
): Promise<void> => {
  const result = create(
    CommandResultSchema,
    'answer' in outcome
      ? { id, succeeded: true, bmc: outcome.answer }
      : { id, succeeded: false, ...outcome.failure },
  );
  const bytes = toBinary(CommandResultSchema, result);
  return results.add({ result, keep: () => journal.finishOrder(id, bytes) });
};

const tellAgain = ({ results }: WorkDeps, { result }: KeptOrder): Promise<void> =>
  results.add({ result: fromBinary(CommandResultSchema, result), keep: () => undefined });
