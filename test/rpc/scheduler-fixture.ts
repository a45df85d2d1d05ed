/**
 * The scheduler behind its guard, with neighbours that stand in; one or two replicas on one
 * coordination.
 */
import { join } from 'node:path';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import type { ExecutionContext } from 'ava';
import type { Provider } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { CapacityService } from '../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { QuotaService } from '../../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import type { Grant, Identity } from '../../services/runtime/identity.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createAuthenticator } from '../../services/runtime/rpc/authenticator.ts';
import type { RunningService } from '../../services/runtime/service.ts';
import { createSchedulerService, type SchedulerConfig } from '../../services/scheduler/main.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { eventually } from '../support/eventually.ts';
import { type GuardedTransports, guardedTransports } from '../support/guarded-transports.ts';
import { type ShiftedClock, shiftedClock } from '../support/shifted-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import {
  CPU,
  createNeighbours,
  type HostWish,
  hostOf,
  MEMORY,
  type Neighbours,
} from './scheduler-neighbours.ts';

const grant = (permissions: readonly string[], place: Partial<Grant> = {}): Grant => ({
  role: 'test',
  permissions: new Set(permissions),
  ...place,
});
const user = (name: string, grants: readonly Grant[]): Identity => ({
  kind: 'user',
  principal: `users/${name}`,
  uid: name,
  grants,
});
const MEMBER = [
  'claim.get',
  'claim.list',
  'claim.create',
  'claim.extend',
  'claim.release',
  'claim.transfer',
  'quota.get',
  'quota.list',
];
const USERS: ReadonlyMap<string, Identity> = new Map([
  ['admin', user('admin', [grant(['*'])])],
  ['red', user('red', [grant(MEMBER, { project: 'red' })])],
  ['blue', user('blue', [grant(MEMBER, { project: 'blue' })])],
  ['red-admin', user('red-admin', [grant(['*'], { project: 'red' })])],
  ['crimson', user('crimson', [grant(MEMBER, { project: 'crimson' })])],
  ['reader', user('reader', [grant(['claim.get', 'claim.list'], { project: 'red' })])],
]);
const SERVICE = [grant(['claim.*', 'capacity.*', 'provider.list', 'partition.list'])];

export type Node = {
  readonly address: string;
  readonly service: RunningService;
  readonly ways: GuardedTransports;
  /** The claims as that person sees them. */
  readonly claims: (token: string) => Client<typeof ClaimService>;
  readonly asMachine: {
    readonly claims: Client<typeof ClaimService>;
    readonly capacity: Client<typeof CapacityService>;
  };
  readonly capacity: (token: string) => Client<typeof CapacityService>;
  readonly quotas: (token: string) => Client<typeof QuotaService>;
  /** Ends it in an orderly way. */
  readonly stop: () => Promise<void>;
};

export type Fixture = {
  readonly coordination: Coordination;
  readonly neighbours: Neighbours;
  readonly clock: ShiftedClock;
  readonly nodes: readonly Node[];
  readonly node: Node;
  readonly sqlUrl: string;
  /** A provider that inventory tells of and machine has opened. */
  readonly addHost: (wish: HostWish) => Promise<Provider>;
};

export type FixtureOptions = {
  readonly replicas?: number;
  readonly config?: SchedulerConfig;
  readonly sqlUrl?: string;
  /** Closed by whoever opened it; absent = the embedded one in memory. */
  readonly coordination?: Coordination;
  /** Inventory has answered nothing yet. */
  readonly isAway?: boolean;
};

const CONFIG: SchedulerConfig = {
  leaseTtlMs: 10_000,
  leaderWaitMs: 8_000,
  collectPauseMs: 20,
  bookmarkMs: 100,
};

export const startScheduler = async (
  t: ExecutionContext,
  options: FixtureOptions = {},
): Promise<Fixture> => {
  const dir = temporaryDir();
  const clock = shiftedClock();
  const random = systemRandom;
  const embedded = { file: ':memory:', clock, random, log: silentLog };
  const coordination = options.coordination ?? openEmbeddedCoordination(embedded);
  const neighbours = createNeighbours();
  if (options.isAway === true) neighbours.setAway(true);
  const byAddress = new Map<string, Transport>();
  const sqlUrl = options.sqlUrl ?? `sqlite:${join(dir.path, 'scheduler-0.sqlite')}`;
  const urlOf = (at: number): string =>
    at === 0 ? sqlUrl : (options.sqlUrl ?? `sqlite:${join(dir.path, `scheduler-${at}.sqlite`)}`);
  const startNode = async (at: number): Promise<Node> => {
    const address = `node-${at}`;
    const service = await createSchedulerService({
      config: { ...CONFIG, ...options.config },
      clock,
      random,
      log: silentLog,
      sql: { url: urlOf(at), limits: PATIENCE },
      coordination,
      connect: {
        transportTo: (area) => (area === 'identity' ? neighbours.identity : neighbours.inventory),
        transportToAddress: (to) => {
          const transport = byAddress.get(to);
          if (transport === undefined) throw new Error(`Nobody is at ${to}`);
          return transport;
        },
      },
      cluster: 'test',
      replica: { id: address, address },
    });
    const ways = guardedTransports({
      implementations: () => service.implementations,
      clock,
      authenticate: createAuthenticator({
        clock,
        cluster: 'test',
        grantsOf: (kind) => (kind === 'service' ? SERVICE : []),
        introspect: (token) => Promise.resolve(USERS.get(token)),
      }),
    });
    byAddress.set(address, ways.asService('scheduler'));
    const machine = ways.asService('machine');
    await service.start(new AbortController().signal);
    let stopping: Promise<void> | undefined;
    return {
      address,
      service,
      ways,
      claims: (token) => createClient(ClaimService, ways.asPerson(token)),
      capacity: (token) => createClient(CapacityService, ways.asPerson(token)),
      quotas: (token) => createClient(QuotaService, ways.asPerson(token)),
      asMachine: {
        claims: createClient(ClaimService, machine),
        capacity: createClient(CapacityService, machine),
      },
      stop: () => {
        stopping ??= service.stop();
        return stopping;
      },
    };
  };
  const nodes: Node[] = [];
  for (let at = 0; at < (options.replicas ?? 1); at += 1) nodes.push(await startNode(at));
  t.teardown(async () => {
    for (const node of nodes) await node.stop();
    if (options.coordination === undefined) await coordination.close();
    dir[Symbol.dispose]();
  });
  const [node] = nodes;
  if (node === undefined) throw new Error('A fixture needs a replica');
  await eventually(() => coordination.get('partitions/lab/leader', AbortSignal.timeout(1_000)), {
    message: 'a leader',
  });
  const addHost = async (wish: HostWish): Promise<Provider> => {
    const host = hostOf(wish);
    neighbours.tell(host);
    await openProvider(node, host);
    return host;
  };
  return { coordination, neighbours, clock, nodes, node, sqlUrl, addHost };
};

/** What machine does once it has found a provider available. */
export const openProvider = (node: Node, host: Provider, closed = false) =>
  node.asMachine.capacity.setCapacity({
    parent: 'partitions/lab',
    providerUid: host.uid,
    inventoryGeneration: host.generation,
    capacities: (host.spec?.inventories ?? []).map(({ resourceType, total }) => ({
      resourceType,
      usable: total,
      minUnit: 1n,
      maxUnit: total,
      stepSize: 1n,
    })),
    closed,
    requestId: systemRandom.requestId(),
  });

export const RED = 'partitions/lab/projects/red';

/** A request for processors and memory. */
export const claimRequest = (
  claimId: string,
  rest: {
    readonly cpus?: number;
    readonly parent?: string;
    readonly requestId?: string;
    readonly validateOnly?: boolean;
    readonly require?: readonly string[];
  } = {},
) => ({
  parent: rest.parent ?? RED,
  claimId,
  requestId: rest.requestId ?? systemRandom.requestId(),
  validateOnly: rest.validateOnly ?? false,
  claim: {
    spec: {
      groups: [
        {
          resources: [
            { resourceType: CPU, amount: BigInt(rest.cpus ?? 1) },
            { resourceType: MEMORY, amount: 1n },
          ],
          capabilities: [{ require: [...(rest.require ?? [])] }],
        },
      ],
    },
  },
});
