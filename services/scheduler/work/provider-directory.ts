/**
 * What inventory tells of providers, by its watch over all partitions: level-triggered, rebuilt
 * from the present set whenever the watch has to start over. While inventory is away the last state
 * stays.
 */
import { createClient, type Transport } from '@connectrpc/connect';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { backOff, deadlineAfter, slept } from '../../store/coordination/waiting.ts';
import type { ProviderFacts } from '../domain/capacity.ts';
import { createFactsBook, type FactsListener } from './facts-book.ts';

export type ProviderDirectory = {
  readonly find: (partition: string, uid: string) => ProviderFacts | undefined;
  readonly all: (partition: string) => Iterable<ProviderFacts>;
  /**
   * Called after each change of a provider in that partition, until the returned function is
   * called.
   */
  readonly listen: (partition: string, listener: FactsListener) => () => void;
  /** True once the present set was complete. */
  readonly isComplete: () => boolean;
  /** Follows until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

export type DirectoryDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** To inventory. */
  readonly transport: Transport;
};

/** Inventory says something at least every 30 s; a watch that is silent for longer is dead. */
const SILENCE_MS_MAX = 75_000;

export const createProviderDirectory = (deps: DirectoryDeps): ProviderDirectory => {
  const { random, log, clock } = deps;
  const client = createClient(ProviderService, deps.transport);
  const book = createFactsBook();
  let isComplete = false;
  let token = '';

  const followOnce = async (signal: AbortSignal, onAnswer: () => void): Promise<void> => {
    const present = token === '' ? new Set<string>() : undefined;
    const watch = client.watchProviders({ parent: 'partitions/-', resumeToken: token }, { signal });
    for await (const { events, resumeToken } of watchful(deps, watch, signal)) {
      onAnswer();
      for (const event of events) {
        const uid = book.apply(event);
        if (uid !== undefined) present?.add(uid);
        if (event.event.case === 'synced' && present !== undefined) {
          book.keepOnly(present);
          isComplete = true;
        }
      }
      if (resumeToken !== '') token = resumeToken;
    }
  };

  return {
    find: book.find,
    all: book.all,
    listen: book.listen,
    isComplete: () => isComplete,
    run: async (signal) => {
      const pause = backOff(random, { firstMs: 100, mostMs: 5000 });
      while (!signal.aborted) {
        const ended = new AbortController();
        try {
          await asDomain(followOnce(AbortSignal.any([signal, ended.signal]), pause.reset));
        } catch (error) {
          if (signal.aborted) return;
          if (isDomainError(error, 'out_of_range')) token = '';
          else log.debug({ err: error }, 'providers cannot be followed');
        } finally {
          ended.abort();
        }
        await slept(clock, pause.nextMs(), signal);
      }
    },
  };
};

/** The messages, or an error once nothing came for too long. */
async function* watchful<T>(
  { clock }: DirectoryDeps,
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
