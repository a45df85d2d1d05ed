/** The inventory service on a database of its own, with a scheduler that speaks CapacityService. */
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { createClient, createRouterTransport, type Transport } from '@connectrpc/connect';
import type { ExecutionContext } from 'ava';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { PropertyKind } from '../../gen/runmachine/identity/v1/definition_pb.ts';
import { DefinitionService } from '../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import type { ProviderGroupSpecSchema } from '../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import {
  type ProviderSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import {
  CapacityService,
  type ProviderCapacity,
  type ReshapeRequest,
} from '../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { createInventoryService } from '../../services/inventory/main.ts';
import { failedPrecondition, unavailable } from '../../services/runtime/errors.ts';
import type { Grant, Identity } from '../../services/runtime/identity.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createAuthenticator } from '../../services/runtime/rpc/authenticator.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { type GuardedTransports, guardedTransports } from '../support/guarded-transports.ts';
import { type ShiftedClock, shiftedClock } from '../support/shifted-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

/** The scheduler's leader as inventory meets it. */
export type Leader = {
  /** Everything that it was asked to record, in order; refused ones too. */
  readonly asked: ProviderCapacity[];
  readonly reshapes: ReshapeRequest[];
  /** What it has recorded, by the providers and generations that it is about. */
  readonly recorded: Set<string>;
  /** Claims that hold something, by uid of the provider. */
  readonly claims: Map<string, readonly string[]>;
  /** Use by resource type; more than is left of a type is IN_USE. */
  readonly used: Map<string, bigint>;
  /** Records, then fails as if the answer was lost. */
  losesAnswers: boolean;
  isAway: boolean;
  /** How many reshapes were asked of it while it was away. */
  missed: number;
  /** Called before it decides. */
  onAsked: (() => Promise<unknown>) | undefined;
};

export type InventoryFixture = GuardedTransports & {
  readonly leader: Leader;
  readonly clock: ShiftedClock;
  readonly admin: Transport;
  /** A second replica on the same database, with the same scheduler. */
  readonly startReplica: () => Promise<InventoryFixture>;
  readonly stop: () => Promise<void>;
};

const grant = (permissions: readonly string[], place: Partial<Grant> = {}): Grant => ({
  role: 'test',
  permissions: new Set(permissions),
  ...place,
});

const SERVICE = [
  'provider.get',
  'provider.list',
  'provider.observe',
  'partition.get',
  'discovery.record',
];
const OPERATOR = [
  'provider.*',
  'group.*',
  'discovery.*',
  'capability.*',
  'partition.get',
  'partition.list',
];
const READER = [
  'provider.get',
  'provider.list',
  'group.get',
  'group.list',
  'partition.get',
  'partition.list',
];

/** Bearer tokens that the fixture knows. */
const USERS: ReadonlyMap<string, readonly Grant[]> = new Map([
  ['admin', [grant(['*'])]],
  ['lab-operator', [grant([...OPERATOR, 'resource_type.*'], { partition: 'lab' })]],
  ['lab-reader', [grant([...READER, 'capability.list'], { partition: 'lab' })]],
  ['reader', [grant(READER)]],
  ['red-member', [grant([...READER, 'capability.get'], { project: 'red' })]],
  ['lab-red-member', [grant(READER, { partition: 'lab', project: 'red' })]],
]);

export const startInventory = async (
  t: ExecutionContext,
  { url }: { readonly url?: string } = {},
): Promise<InventoryFixture> => {
  const dir = temporaryDir({ inMemory: true });
  t.teardown(() => dir[Symbol.dispose]());
  const leader: Leader = {
    asked: [],
    reshapes: [],
    recorded: new Set(),
    claims: new Map(),
    used: new Map(),
    losesAnswers: false,
    isAway: false,
    missed: 0,
    onAsked: undefined,
  };
  const clock = shiftedClock();
  return startOn(t, { url: url ?? `sqlite:${join(dir.path, 'inventory.db')}`, leader, clock });
};

type Ground = { readonly url: string; readonly leader: Leader; readonly clock: ShiftedClock };

const startOn = async (t: ExecutionContext, ground: Ground): Promise<InventoryFixture> => {
  const { url, leader, clock } = ground;
  const parts = { clock, random: systemRandom, log: silentLog };
  const coordination = openEmbeddedCoordination({ ...parts, file: ':memory:' });
  const service = await createInventoryService({
    ...parts,
    config: {},
    sql: { url, limits: PATIENCE },
    coordination,
    connect: {
      transportTo: () => leaderTransport(leader),
      transportToAddress: () => leaderTransport(leader),
    },
    cluster: 'test',
    replica: { id: 'one', address: '127.0.0.1:1' },
  });
  const ended = new AbortController();
  await service.start(ended.signal);
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    ended.abort();
    await service.stop();
    await coordination.close();
  };
  t.teardown(stop);
  const transports = guardedTransports({
    clock,
    implementations: () => service.implementations,
    limits: { recheckMs: 50 },
    authenticate: createAuthenticator({
      clock,
      cluster: 'test',
      grantsOf: () => [grant(SERVICE)],
      introspect: async (token) => identityOf(token),
      cacheMs: 0,
    }),
  });
  const admin = transports.asPerson('admin');
  return { ...transports, leader, clock, admin, stop, startReplica: () => startOn(t, ground) };
};

const identityOf = (token: string): Identity | undefined => {
  const grants = USERS.get(token);
  return grants && { kind: 'user', principal: `users/${token}`, uid: token, grants };
};

/** What metadata defines of properties, of every kind of object. */
const DEFINED = [
  { key: 'warranty-days', kind: PropertyKind.INTEGER },
  { key: 'cooling', kind: PropertyKind.STRING },
  { key: 'anything', kind: PropertyKind.UNSPECIFIED },
];

const leaderTransport = (leader: Leader): Transport =>
  createRouterTransport((router) => {
    router.rpc(ClaimService.method.listAllocations, ({ providerUid }) => {
      demandHere(leader);
      const claims = leader.claims.get(providerUid) ?? [];
      return { allocations: claims.map((claim) => ({ claim, allocation: { providerUid } })) };
    });
    router.rpc(CapacityService.method.reshape, async (request) => {
      await reshape(leader, request);
      return { revision: 1n, claims: 0 };
    });
    router.rpc(DefinitionService.method.getDefinition, ({ name }) => {
      demandHere(leader);
      return { definition: { name, spec: { properties: DEFINED } } };
    });
  });

/** What is held of one provider counts for all, unless it is known which claims hold it. */
const demandEnough = (leader: Leader, { providerUid, capacities }: ProviderCapacity): void => {
  if (leader.claims.size > 0 && !leader.claims.has(providerUid)) return;
  for (const [resourceType, used] of leader.used) {
    const offer = capacities.find((one) => one.resourceType === resourceType);
    const usable = offer?.usable ?? 0n;
    if (used <= usable) continue;
    const metadata = { providerUid, resourceType, used: String(used), usable: String(usable) };
    throw toConnectError(
      failedPrecondition('IN_USE', `Claims hold ${used} of ${resourceType}`, { metadata }),
    );
  }
};

/** The same generations are the same change: it is not judged again. */
const reshape = async (leader: Leader, request: ReshapeRequest): Promise<void> => {
  if (leader.isAway) leader.missed += 1;
  demandHere(leader);
  leader.asked.push(...request.providers);
  leader.reshapes.push(request);
  await leader.onAsked?.();
  const what = request.providers
    .map((one) => `${one.providerUid} ${one.inventoryGeneration}`)
    .join();
  if (!leader.recorded.has(what)) {
    for (const one of request.providers) demandEnough(leader, one);
  }
  leader.recorded.add(what);
  if (leader.losesAnswers) throw toConnectError(unavailable('OUTCOME_UNKNOWN', 'Lost'));
};

const demandHere = (leader: Leader): void => {
  if (leader.isAway) throw toConnectError(unavailable('NO_LEADER', 'Nobody leads'));
};

export const newId = systemRandom.requestId;

export const makePartition = async ({ admin }: InventoryFixture, partitionId: string) => {
  const partitions = createClient(PartitionService, admin);
  const request = { partitionId, partition: {}, requestId: newId() };
  return (await partitions.createPartition(request)).partition;
};

/** A group of the lab; a rack if nothing else is said. */
export const makeGroup = async (
  { admin }: InventoryFixture,
  groupId: string,
  spec: MessageInitShape<typeof ProviderGroupSpecSchema> = {},
) => {
  const { group } = await createClient(ProviderGroupService, admin).createProviderGroup({
    parent: 'partitions/lab',
    groupId,
    group: { spec: { kind: GroupKind.RACK, ...spec } },
    requestId: newId(),
  });
  if (group === undefined) throw new Error('No group in the answer');
  return group;
};

export type ProviderInit = MessageInitShape<typeof ProviderSchema>;

export const GIB = 1024n ** 3n;

/** A VM host with 64 GiB and 16 threads, four times oversubscribed. */
export const vmHost = (more: ProviderInit['spec'] = {}): ProviderInit => ({
  spec: {
    type: ProviderType.VM_HOST,
    inventories: [
      { resourceType: 'runm.memory', total: 64n * GIB, reserved: GIB },
      { resourceType: 'runm.cpu.shared', total: 16n, allocationRatioMilli: 4000 },
    ],
    ...more,
  },
});

export const makeProvider = async (
  { admin }: InventoryFixture,
  providerId: string,
  provider: ProviderInit = vmHost(),
) => {
  const { provider: made } = await createClient(ProviderService, admin).createProvider({
    parent: 'partitions/lab',
    providerId,
    provider,
    requestId: newId(),
  });
  if (made === undefined) throw new Error('No provider in the answer');
  return made;
};
