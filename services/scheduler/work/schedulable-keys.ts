/** Which properties of providers claims may ask for, from metadata's definitions. */
import { createClient, type Transport } from '@connectrpc/connect';
import {
  type PropertyDefinition,
  PropertyKind as PropertyKindMessage,
} from '../../../gen/runmachine/identity/v1/definition_pb.ts';
import { DefinitionService } from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { slept } from '../../store/coordination/waiting.ts';
import type { PropertyKind } from '../domain/topology.ts';
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
  /** Of those whose definition says one. */
  readonly kinds: () => ReadonlyMap<string, PropertyKind>;
  readonly isKnown: () => boolean;
  readonly look: (signal: AbortSignal) => Promise<unknown>;
  readonly run: (signal: AbortSignal) => Promise<void>;
};

type Definitions = {
  readonly keys: ReadonlySet<string>;
  readonly kinds: ReadonlyMap<string, PropertyKind>;
};

const NO_KEYS: ReadonlySet<string> = new Set();
const NO_KINDS: ReadonlyMap<string, PropertyKind> = new Map();
const NONE: Definitions = { keys: NO_KEYS, kinds: NO_KINDS };

const KINDS: ReadonlyMap<PropertyKindMessage, PropertyKind> = new Map([
  [PropertyKindMessage.STRING, 'string'],
  [PropertyKindMessage.INTEGER, 'integer'],
  [PropertyKindMessage.NUMBER, 'number'],
  [PropertyKindMessage.BOOL, 'bool'],
  [PropertyKindMessage.STRING_LIST, 'strings'],
]);

const isSame = (a: Iterable<unknown>, b: Iterable<unknown>): boolean =>
  [...a].join(' ') === [...b].join(' ');

const definitionsOf = (all: readonly PropertyDefinition[]): Definitions => {
  const those = all
    .filter(({ schedulable }) => schedulable)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const kinds = new Map<string, PropertyKind>();
  for (const { key, kind } of those) {
    const known = KINDS.get(kind);
    if (known !== undefined) kinds.set(key, known);
  }
  return { keys: new Set(those.map(({ key }) => key)), kinds };
};

export const createSchedulableKeys = (deps: SchedulableDeps, onChange: () => void): Schedulable => {
  const client = createClient(DefinitionService, deps.identity);
  const listeners = new Set<() => void>();
  const first = Promise.withResolvers<void>();
  let read = NO_KEYS;
  const polled = createPolled<Definitions>(deps, {
    what: 'definitions',
    read: async (timeoutMs) => {
      const name = 'definitions/runm.provider';
      const { definition } = await client.getDefinition({ name }, { timeoutMs });
      return definitionsOf(definition?.spec?.properties ?? []);
    },
    unknown: () => NONE,
    onRead: (now, before) => {
      first.resolve();
      const areKeysSame = before !== undefined && isSame(now.keys, before.keys);
      if (areKeysSame && isSame(now.kinds, before.kinds)) return;
      onChange();
      if (areKeysSame) return;
      // Facts that were read without these keys lack their values.
      if (before !== undefined || now.keys.size > 0) for (const listener of listeners) listener();
    },
  });
  const keys = (): ReadonlySet<string> => polled.value()?.keys ?? NO_KEYS;
  return {
    keys,
    kinds: () => polled.value()?.kinds ?? NO_KINDS,
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
