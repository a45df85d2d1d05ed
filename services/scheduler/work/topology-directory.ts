/**
 * How providers lie to each other, put together per partition: groups by watch, distance types,
 * settings of partitions and definitions of properties by looking again now and then, and at once
 * when a request names what is not known.
 */
import { createClient, type Transport } from '@connectrpc/connect';
import { DistanceTypeService } from '../../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { unavailable } from '../../runtime/errors.ts';
import { slept } from '../../store/coordination/waiting.ts';
import { keyOf } from '../domain/claim.ts';
import type { DistanceTypeFacts, Topology } from '../domain/topology.ts';
import type { Topologies } from '../ports.ts';
import { createGroupDirectory } from './group-directory.ts';
import { createPolled, type Polled } from './polled.ts';
import type { DirectoryDeps, SchedulableKeys } from './provider-directory.ts';
import { createSchedulableKeys } from './schedulable-keys.ts';
import { distanceTypeOf } from './topology-message.ts';

export type TopologyListener = (topology: Topology) => void;

export type TopologyDirectory = Topologies & {
  /** Called after each change, once everything was told. */
  readonly listen: (partition: string, listener: TopologyListener) => () => void;
  /** The service that has not told its part yet; undefined = everything is known. */
  readonly missing: () => 'inventory' | 'identity' | undefined;
  readonly schedulable: SchedulableKeys;
  /** What is set in partitions has changed. */
  readonly refresh: () => void;
  /** Follows until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

export type TopologyDeps = DirectoryDeps & {
  /** To metadata. */
  readonly identity: Transport;
  /** undefined = the partitions were not listed yet. */
  readonly turnaround: (partition: string) => ReadonlyMap<string, number> | undefined;
};

/** How long what is missed may take to come by a watch. */
const WATCH_MS = 1_000;
const LOOK_MS = 25;

export const createTopologyDirectory = (deps: TopologyDeps): TopologyDirectory => {
  const { clock } = deps;
  const listeners = new Map<string, Set<TopologyListener>>();
  const made = new Map<string, Topology>();
  let wasComplete = false;
  const tell = (changed: ReadonlySet<string>): void => {
    for (const partition of changed) made.delete(partition);
    if (missing() !== undefined) return;
    // Nobody was told anything of what came before everything was there.
    const partitions = wasComplete ? changed : listeners.keys();
    wasComplete = true;
    for (const partition of partitions) {
      for (const listener of listeners.get(partition) ?? []) listener(of(partition));
    }
  };
  const refresh = (): void => {
    made.clear();
    tell(new Set(listeners.keys()));
  };
  const groups = createGroupDirectory(deps, tell);
  const distanceTypes = readDistanceTypes(deps, refresh);
  const definitions = createSchedulableKeys(deps, refresh);

  const of = (partition: string): Topology => {
    const key = keyOf(partition);
    const topology = made.get(key) ?? {
      groups: groups.all(key),
      distanceTypes: distanceTypes.value() ?? NO_TYPES,
      turnaroundMs: deps.turnaround(key) ?? NO_TURNAROUND,
      schedulable: definitions.known(),
      propertyKinds: definitions.kinds(),
    };
    made.set(key, topology);
    return topology;
  };
  const missing = (): 'inventory' | 'identity' | undefined => {
    if (!groups.isComplete() || distanceTypes.value() === undefined) return 'inventory';
    if (deps.turnaround('') === undefined) return 'inventory';
    return definitions.isKnown() ? undefined : 'identity';
  };

  return {
    of,
    missing,
    refresh,
    listen: (partition, listener) => {
      const key = keyOf(partition);
      const those = listeners.get(key) ?? new Set<TopologyListener>();
      listeners.set(key, those);
      those.add(listener);
      return () => void those.delete(listener);
    },
    schedulable: definitions,
    learn: async (partition, named, signal) => {
      const lacks = (): Lacking => lackingIn(of(partition), named);
      if (lacks().distanceType) await distanceTypes.look(signal);
      if (lacks().property) await definitions.look(signal);
      // Of a key that was just defined every provider is read anew.
      const isRead = () =>
        named.properties.every(
          (key) => definitions.known().has(key) || !definitions.keys().has(key),
        );
      const endMs = clock.monotonicMs() + WATCH_MS;
      while ((lacks().group || !isRead()) && clock.monotonicMs() < endMs) {
        if (!(await slept(clock, LOOK_MS, signal))) return;
      }
      if (!isRead()) throw beingRead();
    },
    run: async (signal) => {
      await Promise.all([groups.run(signal), distanceTypes.run(signal), definitions.run(signal)]);
    },
  };
};

const beingRead = () =>
  unavailable('SERVICE_UNAVAILABLE', 'Properties of providers are being read', {
    metadata: { service: 'inventory' },
    retryAfterMs: 1_000,
  });

type Lacking = {
  readonly group: boolean;
  readonly distanceType: boolean;
  readonly property: boolean;
};

const lackingIn = (topology: Topology, named: Parameters<Topologies['learn']>[1]): Lacking => ({
  group: named.groups.some((id) => !topology.groups.has(id)),
  distanceType: named.distanceTypes.some((code) => !topology.distanceTypes.has(code)),
  property: named.properties.some((key) => !topology.schedulable.has(key)),
});

const PAGE = 1_000;
const NO_TYPES: ReadonlyMap<string, DistanceTypeFacts> = new Map();
const NO_TURNAROUND: ReadonlyMap<string, number> = new Map();

const readDistanceTypes = (
  deps: DirectoryDeps,
  onChange: () => void,
): Polled<ReadonlyMap<string, DistanceTypeFacts>> => {
  const client = createClient(DistanceTypeService, deps.transport);
  return createPolled<ReadonlyMap<string, DistanceTypeFacts>>(deps, {
    what: 'distance types',
    read: async (timeoutMs) => {
      const found = new Map<string, DistanceTypeFacts>();
      for (let pageToken = ''; ; ) {
        const page = await client.listDistanceTypes({ pageSize: PAGE, pageToken }, { timeoutMs });
        for (const message of page.distanceTypes) {
          const type = distanceTypeOf(message);
          if (type !== undefined) found.set(type.code, type);
        }
        pageToken = page.nextPageToken;
        if (pageToken === '') return found;
      }
    },
    unknown: () => NO_TYPES,
    onRead: (types, before) => {
      if (before === undefined || textOf(types) !== textOf(before)) onChange();
    },
  });
};

const textOf = (types: ReadonlyMap<string, DistanceTypeFacts>): string =>
  JSON.stringify([...types.values()]);
