import type { Implementation, RunningService, ServiceDeps } from '../runtime/service.ts';
import { openSql, type SqlStore } from '../store/sql/open.ts';
import { BUILT_IN_DISTANCE_TYPES } from './domain/distance-types.ts';
import { newHead } from './domain/records.ts';
import { BUILT_IN_CAPABILITIES, RESOURCE_TYPES } from './domain/resource-types.ts';
import type { CodeRecords, InventoryRecords } from './ports.ts';
import { capabilityDoc, capabilityRpc } from './rpc/capability.ts';
import type { RpcDeps } from './rpc/deps.ts';
import { discoveryRpc } from './rpc/discovery.ts';
import { distanceTypeDoc, distanceTypeRpc } from './rpc/distance-type.ts';
import { partitionRpc } from './rpc/partition.ts';
import { providerRpc } from './rpc/provider.ts';
import { providerGroupRpc } from './rpc/provider-group.ts';
import { resourceTypeDoc, resourceTypeRpc } from './rpc/resource-type.ts';
import { inventoryMigrations } from './store/migrations.ts';
import { inventoryRecords } from './store/records.ts';
import { capacityDecisions } from './work/capacity.ts';
import { endReservations } from './work/end-reservations.ts';
import { forgetDiscoveries } from './work/forget-discoveries.ts';
import { propertyKinds } from './work/property-kinds.ts';

const READY_MS = 2_000;

/** Partitions, providers and what they offer. Errors: those of openSql. */
export const createInventoryService = async (deps: ServiceDeps): Promise<RunningService> => {
  const { clock, random, log } = deps;
  const store = await openSql({
    ...deps.sql,
    service: 'inventory',
    entities: [],
    migrations: inventoryMigrations,
    clock,
    random,
    log,
  });
  const records = inventoryRecords(store.dialect);
  const capacity = capacityDecisions(deps.connect.transportTo('scheduler'), random);
  const kinds = propertyKinds(deps.connect.transportTo('identity'), clock);
  const parts = { store, records, capacity, clock, log };
  let background: Promise<unknown> | undefined;
  return {
    implementations: inventoryImplementations({ ...parts, kinds, random }),
    start: async (signal) => {
      await ensureBuiltIns({ store, records }, deps);
      background = Promise.all([endReservations(parts, signal), forgetDiscoveries(parts, signal)]);
    },
    stop: async () => {
      await background;
      await store.close();
    },
    ready: async () => {
      await store.ping(AbortSignal.timeout(READY_MS));
    },
  };
};

export const inventoryImplementations = (deps: RpcDeps): readonly Implementation[] => [
  partitionRpc(deps),
  capabilityRpc(deps),
  resourceTypeRpc(deps),
  distanceTypeRpc(deps),
  providerGroupRpc(deps),
  providerRpc(deps),
  discoveryRpc(deps),
];

type Kept = { readonly store: SqlStore; readonly records: InventoryRecords };

/** Built-in objects that are missing are added; replicas that start at once do it once. */
const ensureBuiltIns = async (
  { store, records }: Kept,
  { clock, random }: ServiceDeps,
): Promise<void> => {
  const actor = { principal: 'services/inventory', requestId: random.requestId() };
  const add = async (kept: CodeRecords, docs: ReadonlyMap<string, string>) => {
    await store.transaction(undefined, actor, async (tx) => {
      const there = new Set((await kept.keepAll(tx, [...docs.keys()])).map(({ id }) => id));
      for (const [id, doc] of docs) {
        if (there.has(id)) continue;
        const head = newHead({ uid: random.uid(), id, nowMs: clock.now().getTime() });
        await kept.insertMissing(tx, { ...head, doc });
      }
    });
  };
  const capabilities = Object.entries(BUILT_IN_CAPABILITIES);
  await add(
    records.capabilities,
    new Map(capabilities.map(([id, description]) => [id, capabilityDoc(description)])),
  );
  const distances = Object.entries(BUILT_IN_DISTANCE_TYPES);
  await add(
    records.distanceTypes,
    new Map(distances.map(([code, type]) => [code, distanceTypeDoc(type)])),
  );
  await add(
    records.resourceTypes,
    new Map(
      RESOURCE_TYPES.map(({ code, unit, description }) => [
        code,
        resourceTypeDoc({ unit, description }),
      ]),
    ),
  );
};
