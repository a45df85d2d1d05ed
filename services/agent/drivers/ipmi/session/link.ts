/**
 * The way to one controller over its sessions: one request at a time in the order of asking, a
 * session that was lost is opened again once, one that is idle is kept alive, one that refused the
 * password is never asked again.
 */
import { type Clock, OVER } from '../../../../runtime/clock.ts';
import { BmcError } from '../../../bmc-port.ts';
import { CODE, completionError, isPassing } from '../wire/completion-code.ts';
import type { IpmiResponse } from '../wire/message.ts';
import { orAborted } from './ask.ts';
import type { Asked, Session } from './session.ts';

export type Link = {
  readonly provider: string;
  /** The answer with whatever code it has, but "node busy", which was waited for. */
  readonly ask: (asked: Asked, signal: AbortSignal) => Promise<IpmiResponse>;
  /** The data; throws BmcError when the code is not 0. `what`: "to switch it on". */
  readonly call: (asked: Asked, what: string, signal: AbortSignal) => Promise<Buffer>;
  /** A session of one's own beside this one, for a console. */
  readonly connect: (signal: AbortSignal) => Promise<Session>;
  readonly close: (signal: AbortSignal) => Promise<void>;
};

export type LinkDeps = {
  readonly clock: Clock;
  readonly provider: string;
  readonly connect: (signal: AbortSignal) => Promise<Session>;
};

/** Sessions end after 60 s ± 3 s without a packet (IPMI 2.0 §6.12.15). */
const KEEP_ALIVE_MS = 25_000;
const KEEP_ALIVE_LIMIT_MS = 10_000;
/** A session that answered so lately still lives. */
const FRESH_MS = 5_000;
const WAITING_MAX = 64;
const BUSY_WAITS_MS = [100, 200, 400, 800, 1_600];
const GET_DEVICE_ID: Asked = { netFn: 0x06, command: 0x01, data: Buffer.alloc(0) };

/** `first` is a session that is open already. */
export const createLink = (deps: LinkDeps, first: Session): Link => {
  const { clock, provider } = deps;
  const ended = new AbortController();
  const inTurn = createTurns(provider);
  let session: Session | undefined = first;
  let refusal: BmcError | undefined;

  const isFresh = (): boolean =>
    session !== undefined && clock.monotonicMs() - session.lastUsedMs() < FRESH_MS;

  const reopened = async (signal: AbortSignal): Promise<Session> => {
    if (ended.signal.aborted) throw new BmcError('unreachable', `"${provider}" was closed`);
    if (refusal !== undefined) throw refusal;
    session?.abandon();
    session = undefined;
    try {
      session = await deps.connect(signal);
      return session;
    } catch (error) {
      if (error instanceof BmcError && error.fault === 'unauthorized') refusal = error;
      throw error;
    }
  };

  const exchange = async (asked: Asked, signal: AbortSignal): Promise<IpmiResponse> => {
    // What is sent once only would be lost in a session that the controller forgot.
    if (asked.once === true && !isFresh()) await exchange(GET_DEVICE_ID, signal);
    const isOld = session !== undefined && !session.lost();
    const current = isOld && session !== undefined ? session : await reopened(signal);
    try {
      return await current.request(asked, signal);
    } catch (error) {
      // It may have forgotten the session (a restart, its limit); never ask twice for what may
      // have been done once.
      const isLost = current.lost() && isOld && asked.once !== true && !signal.aborted;
      if (!isLost) throw error;
      return await (await reopened(signal)).request(asked, signal);
    }
  };

  const ask: Link['ask'] = (asked, signal) =>
    withDeadline({ provider, signal }, () => {
      const turn = inTurn(async () => {
        for (const waitMs of BUSY_WAITS_MS) {
          signal.throwIfAborted();
          const response = await exchange(asked, signal);
          // It may have been done; the code alone does not say.
          if (response.code === CODE.timeout && asked.once === true) {
            throw new BmcError('timeout', `Controller of provider "${provider}" ran out of time`);
          }
          if (!isPassing(response.code)) return response;
          await clock.sleep(waitMs, signal);
        }
        return exchange(asked, signal);
      });
      // Its turn may come too late, and then throws the same to nobody.
      return orAborted(turn, signal);
    });

  void keepAlive({ clock, ended: ended.signal }, async () => {
    const current = session;
    if (current === undefined || current.lost()) return;
    if (clock.monotonicMs() - current.lastUsedMs() < KEEP_ALIVE_MS) return;
    const limit = AbortSignal.any([ended.signal, AbortSignal.timeout(KEEP_ALIVE_LIMIT_MS)]);
    // Whoever asks next finds out whether it was lost.
    await inTurn(() => current.request(GET_DEVICE_ID, limit));
  });

  return {
    provider,
    ask,
    call: async (asked, what, signal) => {
      const response = await ask(asked, signal);
      if (response.code !== 0) throw completionError(provider, what, response.code);
      return response.data;
    },
    connect: (signal) => withDeadline({ provider, signal }, () => deps.connect(signal)),
    close: async (signal) => {
      if (ended.signal.aborted) return;
      ended.abort(OVER);
      await session?.close(signal);
    },
  };
};

/** Runs one after the other; throws busy instead of waiting behind too many. */
const createTurns = (provider: string) => {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return <T>(run: () => Promise<T>): Promise<T> => {
    if (waiting >= WAITING_MAX) {
      return Promise.reject(
        new BmcError('busy', `${WAITING_MAX} requests wait for provider "${provider}" already`),
      );
    }
    waiting += 1;
    const turn = last.then(run).finally(() => {
      waiting -= 1;
    });
    last = turn.catch(() => undefined);
    return turn;
  };
};

type KeepAlive = { readonly clock: Clock; readonly ended: AbortSignal };

const keepAlive = async (
  { clock, ended }: KeepAlive,
  beat: () => Promise<unknown>,
): Promise<void> => {
  while (!ended.aborted) {
    await clock.sleep(KEEP_ALIVE_MS, ended).catch(() => undefined);
    if (!ended.aborted) await beat().catch(() => undefined);
  }
};

type Deadline = { readonly provider: string; readonly signal: AbortSignal };

/** Only BmcError leaves: an aborted signal is a timeout. */
export const withDeadline = async <T>(
  { provider, signal }: Deadline,
  run: () => Promise<T>,
): Promise<T> => {
  try {
    return await run();
  } catch (error) {
    if (error instanceof BmcError) throw error;
    if (signal.aborted) {
      const message = `Controller of provider "${provider}" did not answer in time`;
      throw new BmcError('timeout', message, [], error);
    }
    const message = `IPMI of provider "${provider}" failed: ${String(error)}`;
    throw new BmcError('protocol', message, [], error);
  }
};
