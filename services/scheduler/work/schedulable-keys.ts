/** Which properties of providers claims may ask for, from metadata's definitions. */
import { createClient, type Transport } from '@connectrpc/connect';
import { DefinitionService } from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { slept } from '../../store/coordination/waiting.ts';
import type { WatchDeps } from './followed-watch.ts';
import { createPolled } from './polled.ts';
import type { SchedulableKeys } from './provider-directory.ts';

export type SchedulableDeps = Pick<WatchDeps, 'clock' | 'log'> & {
  /** To metadata. */
  readonly identity: Transport;
};

/** How long providers wait for the definitions before they are read without. */
const DEFINITIONS_MS = 2_000;

export type Schedulable = SchedulableKeys & {
  /** Those of which every provider's value is known: no others may be asked for. */
  readonly known: () => ReadonlySet<string>;
  readonly isKnown: () => boolean;
  readonly look: (signal: AbortSignal) => Promise<unknown>;
  readonly run: (signal: AbortSignal) => Promise<void>;
};

const NO_KEYS: ReadonlySet<string> = new Set();

export const createSchedulableKeys = (deps: SchedulableDeps, onChange: () => void): Schedulable => {
  const client = createClient(DefinitionService, deps.identity);
  const listeners = new Set<() => void>();
  const first = Promise.withResolvers<void>();
  let read = NO_KEYS;
  const polled = createPolled<ReadonlySet<string>>(deps, {
    what: 'definitions',
    read: async (timeoutMs) => {
      const name = 'definitions/runm.provider';
      const { definition } = await client.getDefinition({ name }, { timeoutMs });
      const properties = definition?.spec?.properties ?? [];
      const keys = properties.filter(({ schedulable }) => schedulable).map(({ key }) => key);
      return new Set(keys.sort());
    },
    unknown: () => NO_KEYS,
    onRead: (keys, before) => {
      first.resolve();
      if (before !== undefined && [...keys].join(' ') === [...before].join(' ')) return;
      onChange();
      // Facts that were read without these keys lack their values.
      if (before !== undefined || keys.size > 0) for (const listener of listeners) listener();
    },
  });
  const keys = (): ReadonlySet<string> => polled.value() ?? NO_KEYS;
  return {
    keys,
    known: () => keys().intersection(read),
    wereRead: (these) => {
      if (these.size === read.size && these.isSubsetOf(read)) return;
      read = these;
      onChange();
    },
    isKnown: () => polled.value() !== undefined,
    look: polled.look,
    run: polled.run,
    settled: async (signal) => {
      const stop = new AbortController();
      const limit = slept(deps.clock, DEFINITIONS_MS, AbortSignal.any([signal, stop.signal]));
      await Promise.race([first.promise, limit]);
      stop.abort();
    },
    listen: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
};
