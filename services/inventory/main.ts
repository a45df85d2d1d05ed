import type { Implementation, RunningService, ServiceDeps } from '../runtime/service.ts';
import { openSql, type SqlStore } from '../store/sql/open.ts';
import { newHead } from './domain/records.ts';
import { BUILT_IN_CAPABILITIES } from './domain/resource-types.ts';
import type { InventoryRecords } from './ports.ts';
import { capabilityDoc, capabilityRpc } from './rpc/capability.ts';
import type { RpcDeps } from './rpc/deps.ts';
import { partitionRpc } from './rpc/partition.ts';
import { providerRpc } from './rpc/provider.ts';
import { resourceTypeRpc } from './rpc/resource-type.ts';
import { inventoryMigrations } from './store/migrations.ts';
import { inventoryRecords } from './store/records.ts';
import { capacityDecisions } from './work/capacity.ts';
import { endReservations } from './work/end-reservations.ts';

const READY_MS = 2_000;

/** Partitions, providers and what they offer. Errors: those of openSql. */
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
  const records = inventoryRecords(store.dialect);
  const capacity = capacityDecisions(deps.connect.transportTo('scheduler'), random);
  let background: Promise<void> | undefined;
  return {
    implementations: inventoryImplementations({ store, records, capacity, clock, random, log }),
    start: async (signal) => {
      await ensureCapabilities({ store, records }, deps);
      background = endReservations({ store, records, clock, log }, signal);
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
  providerRpc(deps),
];

type Kept = { readonly store: SqlStore; readonly records: InventoryRecords };

/** Built-in capabilities that are missing are added; replicas that start at once do it once. */
const ensureCapabilities = async (
  { store, records }: Kept,
  { clock, random }: ServiceDeps,
): Promise<void> => {
  const actor = { principal: 'services/inventory', requestId: random.requestId() };
  await store.transaction(undefined, actor, async (tx) => {
    const missing = await records.capabilities.keepAll(tx, Object.keys(BUILT_IN_CAPABILITIES));
    const nowMs = clock.now().getTime();
    for (const id of missing) {
      const head = newHead({ uid: random.uid(), id, nowMs });
      const doc = capabilityDoc(BUILT_IN_CAPABILITIES[id] ?? '');
      await records.capabilities.insertMissing(tx, { ...head, doc });
    }
  });
};
