/**
 * Consoles whose agent has its session here. The agent is told to dial a channel; its bytes are
 * bridged with what the caller types. Both directions are bounded: a slow reader slows the agent
 * down, nothing piles up here.
 */
import { type Clock, OVER } from '../../runtime/clock.ts';
import { unavailable } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';
import type {
  AgentSession,
  ChannelPart,
  ConsoleHub,
  ConsoleOrder,
  OpenConsole,
} from '../agent-port.ts';
import type { OrderHub } from './order-hub.ts';

type Waiting = {
  readonly agentUid: string;
  readonly commandId: string;
  readonly output: Pipe<ChannelPart>;
  readonly input: Pipe<Uint8Array>;
  readonly fail: (message: string) => void;
};

const OPEN_MS = 10_000;
/** Lent anew while the console is open, so that what a replica that died lent is soon over. */
const LENT_MS = 60_000;
const LEND_MS = LENT_MS / 3;
/** Parts of at most 64 KiB (what an agent sends) and pieces of typing. */
const PARTS_MAX = 16;
const CONSOLES_MAX = 1_000;

type Deps = {
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Lets the agent read the secret of a controller while its console is open: it may have to sign
   * in again when its controller restarts.
   */
  readonly loans: Pick<OrderHub, 'lend' | 'takeBack'>;
};

export const createConsoleHub = (deps: Deps): ConsoleHub => {
  const waiting = new Map<string, Waiting>();
  const open = new Map<string, OpenConsole>();
  return {
    open: async (session, order, signal) => {
      if (open.size + waiting.size >= CONSOLES_MAX) {
        throw unavailable('CONSOLE_UNAVAILABLE', `${CONSOLES_MAX} consoles are open here already`);
      }
      const channelId = deps.random.requestId();
      const commandId = deps.random.requestId();
      const output = createPipe<ChannelPart>(PARTS_MAX);
      const input = createPipe<Uint8Array>(PARTS_MAX);
      const failed = Promise.withResolvers<never>();
      failed.promise.catch(() => undefined);
      const fail = (message: string) => failed.reject(cannotOpen(session, message));
      waiting.set(channelId, { agentUid: session.agentUid, commandId, output, input, fail });
      const limit = new AbortController();
      const closed = new AbortController();
      try {
        await lendWhileOpen(deps, { session, order, commandId, closed: closed.signal });
        session.outbox.push({ kind: 'open-channel', commandId, channelId, ...order });
        const stop = AbortSignal.any([limit.signal, signal]);
        const late = deps.clock.sleep(OPEN_MS, stop).then((): never => {
          throw cannotOpen(session, `it did not answer within ${OPEN_MS / 1000} s`);
        });
        late.catch(() => undefined);
        const first = await Promise.race([output.take(), failed.promise, late]);
        const made = consoleOf(session, order, { id: channelId, first, output, input });
        const { close } = made;
        const registered: OpenConsole = {
          ...made,
          close: () => {
            closed.abort(OVER);
            open.delete(channelId);
            session.consoles.delete(registered.close);
            close();
          },
        };
        open.set(channelId, registered);
        session.consoles.add(registered.close);
        return registered;
      } catch (error) {
        closed.abort(OVER);
        output.end();
        input.end();
        throw error;
      } finally {
        waiting.delete(channelId);
        limit.abort(OVER);
      }
    },
    find: (id) => open.get(id),
    accept: (agentUid, channelId) => {
      const one = waiting.get(channelId);
      if (one === undefined || one.agentUid !== agentUid) return undefined;
      waiting.delete(channelId);
      const end = () => {
        one.output.end();
        one.input.end();
      };
      return { put: one.output.put, end, typed: one.input.items() };
    },
    commandResult: ({ commandId, failure }) => {
      if (failure === null) return;
      for (const one of waiting.values()) {
        if (one.commandId === commandId) one.fail(failure.message || failure.reason);
      }
    },
  };
};

type Lending = {
  readonly session: AgentSession;
  readonly order: ConsoleOrder;
  readonly commandId: string;
  readonly closed: AbortSignal;
};

/**
 * Resolves when it is lent for the first time. Only for consoles of providers: an agent that has a
 * machine is told in its assignment what it may read.
 */
const lendWhileOpen = async (
  { clock, loans }: Deps,
  { session, order: { site, targetUid: providerUid }, commandId, closed }: Lending,
): Promise<void> => {
  if (site === undefined) return;
  const { secret } = site.controller;
  const lent = { commandId, providerUid, secret, forMs: LENT_MS };
  await loans.lend(session, lent);
  const goOn = async (): Promise<void> => {
    while (!closed.aborted) {
      await clock.sleep(LEND_MS, closed).catch(() => undefined);
      // What fails is tried again; at worst the console cannot sign in anew.
      if (!closed.aborted) await loans.lend(session, lent).catch(() => undefined);
    }
    await loans.takeBack(commandId);
  };
  void goOn();
};

type Parts = {
  readonly id: string;
  readonly first: ChannelPart | undefined;
  readonly output: Pipe<ChannelPart>;
  readonly input: Pipe<Uint8Array>;
};

const consoleOf = (
  session: AgentSession,
  order: ConsoleOrder,
  { id, first, output, input }: Parts,
): OpenConsole => {
  if (first?.kind !== 'opened') {
    throw cannotOpen(session, first?.kind === 'closed' ? first.why : 'the channel ended at once');
  }
  return {
    id,
    targetUid: order.targetUid,
    by: order.by,
    readOnly: first.readOnly,
    truncated: first.truncated,
    parts: output.items(),
    write: input.put,
    close: () => {
      input.end();
      output.end();
    },
  };
};

const cannotOpen = (session: AgentSession, why: string) =>
  unavailable('CONSOLE_UNAVAILABLE', `The console cannot be opened at ${session.name}: ${why}`, {
    metadata: { agent: session.name },
    retryAfterMs: 1_000,
  });

/** A bounded queue between one writer and one reader; what is left after the end is still read. */
type Pipe<T> = {
  /** Waits for room; does nothing after the end. */
  readonly put: (item: T) => Promise<void>;
  /** Undefined after the end. */
  readonly take: () => Promise<T | undefined>;
  readonly items: () => AsyncIterable<T>;
  readonly end: () => void;
};

export const createPipe = <T>(itemsMax: number): Pipe<T> => {
  const queued: T[] = [];
  let isEnded = false;
  let wakers: (() => void)[] = [];
  const ring = () => {
    const all = wakers;
    wakers = [];
    for (const one of all) one();
  };
  const changed = () => new Promise<void>((resolve) => wakers.push(resolve));
  const take = async (): Promise<T | undefined> => {
    for (;;) {
      const item = queued.shift();
      if (item !== undefined) {
        ring();
        return item;
      }
      if (isEnded) return undefined;
      await changed();
    }
  };
  return {
    take,
    put: async (item) => {
      while (!isEnded && queued.length >= itemsMax) await changed();
      if (isEnded) return;
      queued.push(item);
      ring();
    },
    items: async function* () {
      for (let item = await take(); item !== undefined; item = await take()) yield item;
    },
    end: () => {
      isEnded = true;
      ring();
    },
  };
};
