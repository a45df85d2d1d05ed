/** Inventory and the scheduler as they run beside each other, and many who claim at once. */
import { join } from 'node:path';
import { createClient, type Transport } from '@connectrpc/connect';
import type { ExecutionContext } from 'ava';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { CapacityService } from '../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import type { Claim } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { createInventoryService } from '../../services/inventory/main.ts';
import type { Identity } from '../../services/runtime/identity.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createAuthenticator } from '../../services/runtime/rpc/authenticator.ts';
import type { Area, RunningService } from '../../services/runtime/service.ts';
import { createSchedulerService } from '../../services/scheduler/main.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { eventually } from '../support/eventually.ts';
import { type GuardedTransports, guardedTransports } from '../support/guarded-transports.ts';
import { shiftedClock } from '../support/shifted-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { createNeighbours } from './scheduler-neighbours.ts';

export const CPU = 'runm.cpu.shared';
const LAB = 'partitions/lab';
export const CLAIMERS = 64;

const EVERYTHING = [{ role: 'test', permissions: new Set(['*']) }];
const ADMIN: Identity = { kind: 'user', principal: 'users/admin', uid: 'a', grants: EVERYTHING };

export type Hall = Awaited<ReturnType<typeof startHall>>;

/** Both services on databases of their own; `atInventory` may stand between it and the leader. */
export const startHall = async (
  t: ExecutionContext,
  { atInventory = (way: Transport) => way } = {},
) => {
  const dir = temporaryDir({ inMemory: true });
  const clock = shiftedClock();
  const parts = { clock, random: systemRandom, log: silentLog };
  const coordination = openEmbeddedCoordination({ ...parts, file: ':memory:' });
  const identity = createNeighbours().identity;
  const authenticate = createAuthenticator({
    clock,
    cluster: 'test',
    grantsOf: () => EVERYTHING,
    introspect: async () => ADMIN,
  });
  const running = new Map<string, RunningService>();
  const started: RunningService[] = [];
  const waysTo = (name: string): GuardedTransports =>
    guardedTransports({
      clock,
      authenticate,
      implementations: () => running.get(name)?.implementations ?? [],
    });
  const ways = { inventory: waysTo('inventory'), scheduler: waysTo('scheduler') };
  const transports = (caller: 'inventory' | 'scheduler') => (area: Area) => {
    if (area === 'identity') return identity;
    const way = ways[area === 'scheduler' ? 'scheduler' : 'inventory'].asService(caller);
    return caller === 'inventory' && area === 'scheduler' ? atInventory(way) : way;
  };
  const depsOf = (name: 'inventory' | 'scheduler') => ({
    ...parts,
    coordination,
    sql: { url: `sqlite:${join(dir.path, `${name}.db`)}`, limits: PATIENCE },
    connect: {
      transportTo: transports(name),
      transportToAddress: () => ways.scheduler.asService('scheduler'),
    },
    cluster: 'test',
    replica: { id: name, address: name },
  });
  const ended = new AbortController();
  const start = async (name: string, service: RunningService) => {
    running.set(name, service);
    started.push(service);
    await service.start(ended.signal);
  };
  const startInventoryAgain = async () =>
    start('inventory', await createInventoryService({ ...depsOf('inventory'), config: {} }));
  await startInventoryAgain();
  t.teardown(async () => {
    ended.abort();
    for (const service of started.toReversed()) await service.stop();
    await coordination.close();
    dir[Symbol.dispose]();
  });
  const admin = ways.inventory.asPerson('admin');
  const partitions = createClient(PartitionService, admin);
  await partitions.createPartition({ partitionId: 'lab', partition: {}, requestId: newId() });
  const config = { leaseTtlMs: 10_000, leaderWaitMs: 8_000, collectPauseMs: 20 };
  await start('scheduler', await createSchedulerService({ ...depsOf('scheduler'), config }));
  return {
    clock,
    providers: createClient(ProviderService, admin),
    claims: createClient(ClaimService, ways.scheduler.asPerson('admin')),
    /** The claims as machine changes them. */
    asMachine: createClient(ClaimService, ways.scheduler.asService('machine')),
    capacity: createClient(CapacityService, ways.scheduler.asService('machine')),
    startInventoryAgain,
  };
};

export const newId = systemRandom.requestId;

export type Host = { readonly name: string; readonly uid: string };

/** A host that machine has opened, once the scheduler has heard of it. */
export const addHost = async (hall: Hall, providerId: string, cpus: number): Promise<Host> => {
  const inventories = [{ resourceType: CPU, total: BigInt(cpus) }];
  const { provider } = await hall.providers.createProvider({
    parent: LAB,
    providerId,
    provider: { spec: { type: ProviderType.VM_HOST, inventories } },
    requestId: newId(),
  });
  if (provider === undefined) throw new Error('No provider in the answer');
  await setClosed(hall, provider, false);
  return provider;
};

/** What machine does: it tells whether the provider is open, and what inventory says it offers. */
export const setClosed = async (
  { capacity, providers }: Hall,
  { name }: Host,
  closed: boolean,
): Promise<void> => {
  await eventually(
    async () => {
      const { provider } = await providers.getProvider({ name });
      await capacity.setCapacity({
        parent: LAB,
        providerUid: provider?.uid ?? '',
        inventoryGeneration: provider?.generation ?? 0n,
        capacities: (provider?.spec?.inventories ?? []).map(({ resourceType, total }) => ({
          resourceType,
          usable: total,
        })),
        closed,
        requestId: newId(),
      });
      return true;
    },
    { message: 'the leader records it' },
  );
};

/** Waits until the scheduler knows of each host what it offers. */
export const hearsOfAll = async ({ claims }: Hall, hosts: readonly Host[]): Promise<void> => {
  for (const { uid, name } of hosts) {
    await eventually(
      async () =>
        claims.createClaim({
          parent: `${LAB}/projects/red`,
          claimId: 'probe',
          claim: { spec: { groups: [{ ...groupOf(1), inTree: uid }] } },
          validateOnly: true,
          requestId: newId(),
        }),
      { message: `the scheduler hears of ${name}` },
    );
  }
};

const groupOf = (cpus: number) => ({
  resources: [{ resourceType: CPU, amount: BigInt(cpus) }],
});

/** Claims one processor, or is refused; undefined: refused. Other failures are thrown. */
export const claimOne = async ({ claims }: Hall, claimId: string): Promise<Claim | undefined> => {
  const requestId = newId();
  const { claim } = await claims
    .createClaim({
      parent: `${LAB}/projects/red`,
      claimId,
      claim: { spec: { groups: [groupOf(1)] } },
      requestId,
    })
    .catch((error: unknown) => {
      if (String(error).includes('resource_exhausted')) return { claim: undefined };
      throw error;
    });
  return claim;
};

export const uidsOf = (claim: Claim): readonly string[] =>
  (claim.status?.allocations ?? []).map(({ providerUid }) => providerUid);
