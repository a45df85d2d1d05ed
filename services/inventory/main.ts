import type { RunningService, ServiceDeps } from '../runtime/service.ts';
import { openSql, type SqlStore } from '../store/sql/open.ts';
import { BUILT_IN_CAPABILITIES } from './domain/resource-types.ts';
import type { InventoryRecords } from './ports.ts';
import { capabilityDoc, capabilityRpc } from './rpc/capability.ts';
import { partitionRpc } from './rpc/partition.ts';
import { providerRpc } from './rpc/provider.ts';
import { resourceTypeRpc } from './rpc/resource-type.ts';
import { inventoryMigrations } from './store/migrations.ts';
import { capabilityRecords, partitionRecords } from './store/named-records.ts';
import { providerRecords } from './store/provider-records.ts';
import { capacityDecisions } from './work/capacity.ts';

const records: InventoryRecords = {
  partitions: partitionRecords,
  capabilities: capabilityRecords,
  providers: providerRecords,
};

const READY_MS = 2_000;

/** Partitions, providers and what they offer. */
export const createInventoryService = async (deps: ServiceDeps): Promise<RunningService> => {
  const { clock, random, log } = deps;
  const store = await openSql({
    service: 'inventory',
    url: deps.sql.url,
    entities: [],
    migrations: inventoryMigrations,
    clock,
    random,
    log,
  });
  const capacity = capacityDecisions(deps.connect.transportTo('scheduler'));
  const rpc = { store, records, capacity, clock, random };
  return {
    implementations: [
      partitionRpc(rpc),
      capabilityRpc(rpc),
      resourceTypeRpc(rpc),
      providerRpc(rpc),
    ],
    start: () => ensureCapabilities(store, deps),
    stop: () => store.close(),
    ready: async () => {
      await store.ping(AbortSignal.timeout(READY_MS));
    },
  };
};

/** Built-in capabilities that are missing are added; two replicas that start at once do it once. */
const ensureCapabilities = async (
  store: SqlStore,
  { clock, random }: ServiceDeps,
): Promise<void> => {
  const actor = { principal: 'services/inventory', requestId: random.requestId() };
  await store.transaction(undefined, actor, async (tx) => {
    const missing = await records.providers.unknownCapabilities(
      tx,
      Object.keys(BUILT_IN_CAPABILITIES),
    );
    const nowMs = clock.now().getTime();
    for (const id of missing) {
      const doc = capabilityDoc(BUILT_IN_CAPABILITIES[id] ?? '');
      const head = { uid: random.uid(), id, version: 1, createMs: nowMs, updateMs: nowMs };
      await records.capabilities.insert(tx, { ...head, doc });
    }
  });
};
