/**
 * What inventory tells of providers, by its watch over all partitions: level-triggered, rebuilt
 * from the present set whenever the watch has to start over. While inventory is away the last state
 * stays.
 */
import type { Transport } from '@connectrpc/connect';
import {
  EncodedProviderEventsSchema,
  ProviderService,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { ProviderFacts } from '../domain/capacity.ts';
import { createFactsBook, type FactsListener, type NumbersOf } from './facts-book.ts';
import { createFollowedWatch, type WatchDeps } from './followed-watch.ts';

export type ProviderDirectory = {
  readonly find: (partition: string, uid: string) => ProviderFacts | undefined;
  readonly all: (partition: string) => Iterable<ProviderFacts>;
  /** Uids of the providers that are parts of it. */
  readonly partsOf: (uid: string) => Iterable<string>;
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

export type DirectoryDeps = WatchDeps & {
  /** To inventory. */
  readonly transport: Transport;
};

/** Which properties of a provider are kept. */
export type SchedulableKeys = {
  readonly keys: () => ReadonlySet<string>;
  /** Resolves when it is worth to begin: once they are known, or nobody tells them. */
  readonly settled: (signal: AbortSignal) => Promise<void>;
  /** Called when they have changed: facts that were read before lack some. */
  readonly listen: (listener: () => void) => () => void;
  /** Every provider was read with these. */
  readonly wereRead: (keys: ReadonlySet<string>) => void;
};

export const createProviderDirectory = (
  deps: DirectoryDeps,
  schedulable: SchedulableKeys,
  numbersOf?: NumbersOf,
): ProviderDirectory => {
  const book = createFactsBook(schedulable.keys, numbersOf);
  let isComplete = false;
  /** Uids of a present set that is being told; undefined = all that is told stays. */
  let present: Set<string> | undefined;
  /** With which the present set is read. */
  let keys = schedulable.keys();

  const watch = createFollowedWatch(deps, {
    what: 'providers',
    open: (resumeToken, signal) => watchEncoded(deps.transport, resumeToken, signal),
    begin: () => {
      // Nothing can be gone from an empty book; a million uids are a lot to note for that.
      present = book.isEmpty() ? undefined : new Set();
      keys = schedulable.keys();
    },
    take: (events) => {
      for (const event of events) {
        const told = book.apply(event);
        if (told.kind === 'there') present?.add(told.uid);
        if (told.kind !== 'synced') continue;
        if (present !== undefined) book.keepOnly(present);
        present = undefined;
        isComplete = true;
        schedulable.wereRead(keys);
      }
    },
  });

  return {
    find: book.find,
    all: book.all,
    partsOf: book.partsOf,
    listen: book.listen,
    isComplete: () => isComplete,
    run: async (signal) => {
      await schedulable.settled(signal);
      const stopListening = schedulable.listen(watch.startOver);
      try {
        await watch.run(signal);
      } finally {
        stopListening();
      }
    },
  };
};

/** The same call as any other's, but of the answers only the events are told apart. */
const WATCH = { ...ProviderService.method.watchProviders, output: EncodedProviderEventsSchema };

async function* watchEncoded(transport: Transport, resumeToken: string, signal: AbortSignal) {
  const request = { parent: 'partitions/-', resumeToken };
  const { message } = await transport.stream(WATCH, signal, undefined, undefined, only(request));
  yield* message;
}

async function* only<T>(request: T): AsyncGenerator<T> {
  yield request;
}
