/** machine as it runs, with stand-ins around it and everything that a listener runs. */
import { join } from 'node:path';
import { createClient, createRouterTransport, type Transport } from '@connectrpc/connect';
import { AgentDirectoryService } from '../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { ConsoleService } from '../../gen/runmachine/machine/v1/console_service_pb.ts';
import { EventService } from '../../gen/runmachine/machine/v1/event_service_pb.ts';
import { ImageService } from '../../gen/runmachine/machine/v1/image_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { OperationService } from '../../gen/runmachine/machine/v1/operation_service_pb.ts';
import { ProviderConsoleService } from '../../gen/runmachine/machine/v1/provider_console_service_pb.ts';
import { ProviderHardwareService } from '../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { ProviderStateService } from '../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import { createMachineService, type MachineConfig } from '../../services/machine/main.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import type { Grant, Identity } from '../../services/runtime/identity.ts';
import { createMetrics } from '../../services/runtime/metrics.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createAuthenticator } from '../../services/runtime/rpc/authenticator.ts';
import { guardAll } from '../../services/runtime/rpc/guard.ts';
import { inMemoryTransport } from '../../services/runtime/rpc/in-memory.ts';
import { type Peer, peerKey } from '../../services/runtime/rpc/peer.ts';
import { createPipeline } from '../../services/runtime/rpc/pipeline.ts';
import { register } from '../../services/runtime/rpc/register.ts';
import type { RunningService } from '../../services/runtime/service.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { CLUSTER } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { createFakeAgent, type FakeAgent } from './machine-agent.ts';
import { createNeighbours, type Neighbours } from './machine-neighbours.ts';

export const PROJECT = 'partitions/lab/projects/red';
export const AGENT = 'partitions/lab/agents/a1';

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

const MEMBER = ['machine.*', 'image.get', 'image.list', 'image.create', 'image.delete'];
const READS = ['event.list', 'operation.*', 'claim.*'];

export const USERS: ReadonlyMap<string, Identity> = new Map([
  ['admin', user('admin', [grant(['*'])])],
  ['red', user('red', [grant([...MEMBER, ...READS], { project: 'red' })])],
  ['blue', user('blue', [grant([...MEMBER, ...READS], { project: 'blue' })])],
  ['operator', user('operator', [grant(['provider.*', ...READS], { partition: 'lab' })])],
  ['reader', user('reader', [grant(['machine.get', 'machine.list'], { project: 'red' })])],
]);

/** One replica. */
export type Replica = {
  readonly service: RunningService;
  readonly asPerson: (token?: string) => Transport;
  readonly asAgent: (uid: string) => Transport;
  readonly asService: (name: string) => Transport;
  readonly stop: () => Promise<void>;
};

export type Site = AsyncDisposable & {
  readonly neighbours: Neighbours;
  readonly agentUid: string;
  readonly replicas: readonly Replica[];
  readonly coordination: Coordination;
  readonly url: string;
  readonly add: () => Promise<Replica>;
};

export type SiteOptions = {
  readonly replicas?: number;
  readonly config?: Partial<MachineConfig>;
  /** Absent = SQLite in a directory of its own. */
  readonly url?: string;
};

const FAST: Partial<MachineConfig> = {
  // The fake agent sends none by itself: a slow test must not end its session.
  heartbeatMs: 60_000,
  sweepMs: 100,
  dueMs: 50,
  imageMs: 50,
  leaseMs: 3_000,
  // Who is taken for dead because the test stood still loses its agent.
  memberLeaseMs: 10_000,
};

export const startSite = async (options: SiteOptions = {}): Promise<Site> => {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(temporaryDir({ inMemory: true }));
  const agentUid = systemRandom.uid();
  const neighbours = createNeighbours(AGENT);
  neighbours.agents.set(agentUid, AGENT);
  for (const person of USERS.values()) neighbours.people.set(person.principal, person);
  const coordination = openEmbeddedCoordination({
    file: join(dir.path, 'coordination.db'),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  cleanup.defer(() => coordination.close());
  const url = options.url ?? `sqlite:${join(dir.path, 'machine.db')}`;
  const replicas: Replica[] = [];
  const byAddress = new Map<string, Replica>();
  // Who owns what is begun: this function until it returns, then the site.
  let owner: AsyncDisposableStack = cleanup;
  const add = async (): Promise<Replica> => {
    const address = `replica-${replicas.length}`;
    const replica = await startReplica({
      url,
      coordination,
      neighbours,
      address,
      config: { ...FAST, ...options.config },
      at: (other) => byAddress.get(other),
    });
    owner.defer(replica.stop);
    replicas.push(replica);
    byAddress.set(address, replica);
    return replica;
  };
  for (let count = 0; count < (options.replicas ?? 1); count += 1) await add();
  const owned = cleanup.move();
  owner = owned;
  return {
    neighbours,
    agentUid,
    replicas,
    coordination,
    url,
    add,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

type ReplicaOptions = {
  readonly url: string;
  readonly coordination: Coordination;
  readonly neighbours: Neighbours;
  readonly address: string;
  readonly config: Partial<MachineConfig>;
  readonly at: (address: string) => Replica | undefined;
};

const startReplica = async (options: ReplicaOptions): Promise<Replica> => {
  const { url, coordination, neighbours, address, config, at } = options;
  const service = await createMachineService({
    config,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    sql: { url, limits: PATIENCE },
    coordination,
    connect: {
      transportTo: (area) => {
        if (area === 'machine') throw new Error('machine does not call itself by area');
        return neighbours.transports[area];
      },
      transportToAddress: (other) => {
        const found = at(other);
        if (found === undefined) throw new Error(`no replica at ${other}`);
        return found.asService('machine');
      },
    },
    cluster: CLUSTER,
    replica: { id: address, address },
  });
  const pipeline = createPipeline({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metrics: createMetrics().rpc,
    authenticate: createAuthenticator({
      clock: systemClock,
      cluster: CLUSTER,
      grantsOf: (kind) => [grant(kind === 'service' ? ['*'] : ['agent.session'])],
      introspect: (token) => Promise.resolve(USERS.get(token)),
    }),
  });
  const services = guardAll(service.implementations, pipeline);
  const stopping = new AbortController();
  await service.start(stopping.signal);
  let stopped: Promise<void> | undefined;
  const as = (peer: (header: Headers) => Peer): Transport =>
    createRouterTransport((router) => register(router, services), {
      router: {
        interceptors: [
          (next) => (request) => {
            request.contextValues.set(peerKey, peer(request.header));
            return next(request);
          },
        ],
      },
    });
  return {
    service,
    asPerson: (token) =>
      as((header) => ({
        source: { kind: 'people' },
        header: (name) =>
          name === 'authorization' && token !== undefined
            ? `Bearer ${token}`
            : (header.get(name) ?? undefined),
        address: 'test',
      })),
    asAgent: (uid) => {
      const certificate = {
        uris: [`spiffe://${CLUSTER}/agent/${uid}`],
        fingerprint: uid,
        serial: '1',
      };
      return as((header) => ({
        source: { kind: 'certificate', certificate },
        header: (name) => header.get(name) ?? undefined,
        address: 'test',
      }));
    },
    asService: (caller) => inMemoryTransport({ services: () => services, caller }),
    stop: () => {
      stopped ??= (async () => {
        await pipeline.drain(AbortSignal.timeout(2_000));
        stopping.abort();
        await service.stop();
      })();
      return stopped;
    },
  };
};

/** The contract as a caller sees it. */
export const clientsOf = (transport: Transport) => ({
  machines: createClient(MachineService, transport),
  operations: createClient(OperationService, transport),
  events: createClient(EventService, transport),
  images: createClient(ImageService, transport),
  consoles: createClient(ConsoleService, transport),
  agents: createClient(AgentDirectoryService, transport),
  providerStates: createClient(ProviderStateService, transport),
  hardware: createClient(ProviderHardwareService, transport),
  providerConsoles: createClient(ProviderConsoleService, transport),
});

export type Clients = ReturnType<typeof clientsOf>;

/** An agent that is connected and synced. */
export const connectAgent = async (site: Site, replica = site.replicas[0]): Promise<FakeAgent> => {
  if (replica === undefined) throw new Error('the site has no replica');
  const agent = createFakeAgent();
  await agent.dial(replica.asAgent(site.agentUid));
  await eventually(() => agent.synced() > 0, { message: 'the mark after the differences' });
  return agent;
};

export const uuid = (): string => systemRandom.requestId();

/** Waits for the end of an operation and gives it. */
export const ended = async (clients: Clients, name: string | undefined) => {
  if (name === undefined || name === '') throw new Error('there is no operation');
  return eventually(
    async () => {
      const { operation } = await clients.operations.waitOperation({
        name,
        timeout: { seconds: 5n, nanos: 0 },
      });
      return operation?.done === true ? operation : undefined;
    },
    { message: `the end of ${name}` },
  );
};

/** Creates a machine and waits until its operation is done. */
export const createMachine = async (
  clients: Clients,
  machineId: string,
  spec: NonNullable<Parameters<Clients['machines']['createMachine']>[0]['machine']>['spec'] = {},
) => {
  const { operation } = await clients.machines.createMachine({
    parent: PROJECT,
    machineId,
    machine: { spec: { memoryBytes: 256n * 1024n ** 2n, ...spec } },
    requestId: uuid(),
  });
  const done = await ended(clients, operation?.name);
  const { machine } = await clients.machines.getMachine({
    name: `${PROJECT}/machines/${machineId}`,
  });
  if (machine === undefined) throw new Error('the machine is not there');
  return { operation: done, machine };
};
