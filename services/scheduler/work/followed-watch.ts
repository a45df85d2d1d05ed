/**
 * Follows a watch of another service for as long as it takes: from its token after an interruption,
 * from the present set when the token is worth nothing any more. Level-triggered: whoever takes the
 * events is told when a present set begins and when it was complete.
 */
import { Code, ConnectError } from '@connectrpc/connect';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { backOff, deadlineAfter, slept } from '../../store/coordination/waiting.ts';

export type WatchDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

export type WatchMessage<Event> = {
  readonly events: readonly Event[];
  /** Empty = what was told so far must be told again. */
  readonly resumeToken: string;
};

export type WatchedNoun<Event> = {
  /** For the log, for example "providers". */
  readonly what: string;
  readonly open: (resumeToken: string, signal: AbortSignal) => AsyncIterable<WatchMessage<Event>>;
  /** A present set begins: what is not told by the end of it is gone. */
  readonly begin: () => void;
  readonly take: (events: readonly Event[]) => void;
  /** The other side is of a version that has no such noun. */
  readonly unknown?: () => void;
};

export type FollowedWatch = {
  /** Follows until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Asks for the present set again, though nothing is wrong with the token. */
  readonly startOver: () => void;
};

/** The other side says something at least every 30 s; a watch silent for longer is dead. */
const SILENCE_MS_MAX = 75_000;
/** Between looks at a service that has no such noun; it may be replaced by a newer one. */
const UNKNOWN_PAUSE_MS = 30_000;

export const createFollowedWatch = <Event>(
  deps: WatchDeps,
  noun: WatchedNoun<Event>,
): FollowedWatch => {
  const { clock, random, log } = deps;
  let token = '';
  let isRunning = false;
  let current = new AbortController();

  const followOnce = async (signal: AbortSignal, onAnswer: () => void): Promise<void> => {
    if (token === '') noun.begin();
    for await (const message of watchful(deps, noun.open(token, signal), signal)) {
      if (signal.aborted) return;
      onAnswer();
      noun.take(message.events);
      if (message.resumeToken !== '') token = message.resumeToken;
    }
  };

  return {
    startOver: () => {
      token = '';
      if (isRunning) current.abort();
    },
    run: async (signal) => {
      const pause = backOff(random, { firstMs: 100, mostMs: 5000 });
      isRunning = true;
      while (!signal.aborted) {
        const ended = new AbortController();
        current = ended;
        let pauseMs: number | undefined;
        try {
          await asDomain(followOnce(AbortSignal.any([signal, ended.signal]), pause.reset));
        } catch (error) {
          if (signal.aborted) return;
          if (isDomainError(error, 'out_of_range')) token = '';
          if (isUnimplemented(error)) {
            noun.unknown?.();
            pauseMs = UNKNOWN_PAUSE_MS;
          } else if (!ended.signal.aborted) {
            log.debug({ err: error, what: noun.what }, 'a watch was interrupted');
          }
        } finally {
          ended.abort();
        }
        await slept(clock, pauseMs ?? pause.nextMs(), signal);
      }
    },
  };
};

/** What a service of an older version answers to a call that it does not know. */
export const isUnimplemented = (error: unknown): boolean =>
  error instanceof ConnectError && error.code === Code.Unimplemented;

/** The messages, or an error once nothing came for too long. */
async function* watchful<T>(
  { clock }: WatchDeps,
  messages: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  for (;;) {
    using silence = deadlineAfter(clock, SILENCE_MS_MAX, signal);
    const silent = new Promise<never>((_, reject) => {
      silence.signal.addEventListener('abort', () => reject(silence.signal.reason), {
        once: true,
      });
    });
    const next = iterator.next();
    next.catch(() => undefined);
    const { done, value } = await Promise.race([next, silent]);
    if (done === true) return;
    yield value;
  }
}
