/** The process `machine`: machines, consoles, images, operations, events and the agents. */
import { unavailable } from '../runtime/errors.ts';
import type { RunningService, ServiceDeps } from '../runtime/service.ts';
import { openSql, type SqlStore } from '../store/sql/open.ts';
import type { AgentHub, AgentSession } from './agent-port.ts';
import type { ConsoleIssuers } from './console-ports.ts';
import type { ProviderView } from './domain/capacity.ts';
import { opensItself } from './domain/provider-state.ts';
import type { Backoff, Sink } from './domain/sink.ts';
import { OPERATION_LIMITS, type OperationLimits } from './domain/view.ts';
import { createHardware, type Hardware } from './hardware.ts';
import type { SecretPort } from './neighbours-port.ts';
import type { Controllers } from './order-port.ts';
import type { MachineWriter, Records } from './ports.ts';
import { agentDirectoryRpc, type DirectoryDeps } from './rpc/agent-directory-service.ts';
import { agentRpc } from './rpc/agent-service.ts';
import { consoleRpc } from './rpc/console-service.ts';
import { createCreations } from './rpc/creations.ts';
import { eventRpc } from './rpc/event-service.ts';
import { imageRpc } from './rpc/image-service.ts';
import { machineRpc } from './rpc/machine-service.ts';
import { operationRpc } from './rpc/operation-service.ts';
import { orderRpc } from './rpc/order-service.ts';
import { createPlaces } from './rpc/places.ts';
import { providerConsoleRpc } from './rpc/provider-console-service.ts';
import { providerHardwareRpc } from './rpc/provider-hardware-service.ts';
import { providerStateRpc } from './rpc/provider-state-service.ts';
import type { ProviderStateNeighbours } from './rpc/provider-verbs.ts';
import { machinePageKey } from './store/machine-records.ts';
import { createMachineWriter } from './store/machine-writer.ts';
import { machineMigrations } from './store/migrations.ts';
import { createRecords } from './store/records.ts';
import { createAgentHub } from './work/agent-hub.ts';
import { createBackground } from './work/background.ts';
import {
  type CleaningConfig,
  type CleaningHook,
  createCleaningHook,
  NO_CLEANING,
} from './work/cleaning-hook.ts';
import { createConsoleHub } from './work/console-hub.ts';
import { createConsoleIssuers } from './work/console-issuers.ts';
import { createControllers } from './work/controllers.ts';
import { createCredentialNews } from './work/credential-news.ts';
import { createIdentityClient } from './work/identity-client.ts';
import { createImageFetcher, type ImageFetcher } from './work/image-fetcher.ts';
import { createInventoryClient } from './work/inventory-client.ts';
import { createOperationBell, type OperationBell } from './work/operation-bell.ts';
import { createOperationQueue, type OperationQueue } from './work/operation-queue.ts';
import { createOperationRunner } from './work/operation-runner.ts';
import { createOrderHub, type OrderHub } from './work/order-hub.ts';
import { createPerform } from './work/perform.ts';
import { createProviderOpener, type ProviderOpener } from './work/provider-opener.ts';
import { createProviderPools, type ProviderPools } from './work/provider-pools.ts';
import { createSchedulerClient } from './work/scheduler-client.ts';
import { createSecretClient } from './work/secret-client.ts';
import { createSinks, type SinksConfig } from './work/sinks.ts';
import { createUnreached } from './work/unreached.ts';

export type MachineConfig = {
  /** Mean time between heartbeats of an agent; silence of 1.35 times that ends its session. */
  readonly heartbeatMs: number;
  /** Pause between two sweeps of a partition. */
  readonly sweepMs: number;
  /** Pause between two looks at operations that are due. */
  readonly dueMs: number;
  /** Pause between two looks for images to fetch. */
  readonly imageMs: number;
  /** How long an operation stays with a replica that died. */
  readonly leaseMs: number;
  /** How long a dead replica counts as alive; etcd: whole seconds. */
  readonly memberLeaseMs: number;
  /** Operations that run at the same time at this replica. */
  readonly concurrencyMax: number;
  readonly limits: OperationLimits;
  /** Where events go beside the timeline. */
  readonly sinks: SinksConfig;
  /** What cleans servers after a claim. */
  readonly cleaning: CleaningConfig;
  /** How long a sink stays with a replica that died; far longer than a try to deliver. */
  readonly sinkLeaseMs: number;
  /** Pause between two looks for events to deliver. */
  readonly sinkIdleMs: number;
  readonly sinkBackoff: Backoff;
};

const DEFAULTS: MachineConfig = {
  heartbeatMs: 10_000,
  sweepMs: 5_000,
  dueMs: 2_000,
  imageMs: 5_000,
  leaseMs: 10_000,
  memberLeaseMs: 10_000,
  concurrencyMax: 128,
  limits: OPERATION_LIMITS,
  sinks: { webhooks: [] },
  cleaning: NO_CLEANING,
  sinkLeaseMs: 60_000,
  sinkIdleMs: 1_000,
  sinkBackoff: { firstMs: 1_000, longestMs: 300_000 },
};

type Deps = ServiceDeps<Partial<MachineConfig>>;

/** Opens and migrates the database; serves after `start`. Errors: those of openSql, createSinks. */
export const createMachineService = async (deps: Deps): Promise<RunningService> => {
  const { clock, random, log } = deps;
  const sinks = await createSinks(deps, deps.config.sinks ?? DEFAULTS.sinks);
  const hook = await createCleaningHook(deps.clock, deps.config.cleaning ?? DEFAULTS.cleaning);
  const store = await openSql({
    ...deps.sql,
    service: 'machine',
    entities: [],
    migrations: machineMigrations,
    clock,
    random,
    log,
  });
  const parts = assemble(deps, store, { sinks, hook });
  const closing = new AbortController();
  let isStarted = false;
  return {
    implementations: implementationsOf(deps, parts, () => isStarted),
    start: async (signal) => {
      await parts.background.start(AbortSignal.any([signal, closing.signal]));
      isStarted = true;
    },
    stop: async () => {
      closing.abort();
      await parts.background.ended();
      await store.close();
    },
    ready: async () => {
      if (!isStarted || closing.signal.aborted) {
        throw unavailable('SERVICE_UNAVAILABLE', 'machine has not started or is stopping');
      }
      await store.ping(AbortSignal.timeout(5_000));
    },
  };
};

type Outside = { readonly sinks: readonly Sink[]; readonly hook: CleaningHook | undefined };

type Parts = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly writer: MachineWriter;
  readonly queue: OperationQueue;
  readonly bell: OperationBell;
  readonly hub: AgentHub;
  readonly consoles: ReturnType<typeof createConsoleHub>;
  readonly issuers: ConsoleIssuers;
  readonly images: ImageFetcher;
  readonly replica: { readonly id: string; readonly address: string };
  readonly neighbours: ProviderStateNeighbours;
  readonly seeHosts: DirectoryDeps['seeHosts'];
  readonly metal: Hardware & {
    readonly orderHub: OrderHub;
    readonly controllers: Controllers;
    readonly secrets: SecretPort;
  };
  readonly background: ReturnType<typeof createBackground>;
};

const assemble = (deps: Deps, store: SqlStore, { sinks, hook }: Outside): Parts => {
  const { clock, random, log, connect, coordination } = deps;
  const config = { ...DEFAULTS, ...deps.config };
  const records = createRecords(clock);
  const looks: { opener?: ProviderOpener; pools?: ProviderPools } = {};
  const writer = createMachineWriter({
    records,
    clock,
    random,
    incarnation: store.incarnation,
    controllerOf: (uid) => looks.pools?.find(uid)?.controller ?? undefined,
  });
  const base = { store, records, writer, clock, random, log };
  const controllers = createControllers(base);
  const identity = createIdentityClient(connect.transportTo('identity'));
  const inventory = createInventoryClient(connect.transportTo('inventory'));
  const scheduler = createSchedulerClient(connect.transportTo('scheduler'));
  // Unique for each start, so that sessions and leases of an earlier life are seen as lost.
  const replica = {
    id: `${deps.replica.id}-${random.bytes(4).toString('hex')}`,
    address: deps.replica.address,
  };
  const orderHub = createOrderHub(base);
  const consoles = createConsoleHub({ clock, random, loans: orderHub });
  const bell = createOperationBell(clock);
  const pools = createProviderPools({
    ...base,
    inventory,
    controllers,
    // What does not open by itself is looked at when it changes; the guard finds what came before.
    onProvider: (provider, isNews) => {
      if (isNews || opensItself(provider)) looks.opener?.look(provider.uid);
    },
  });
  const credentials = createCredentialNews({ ...base, inventory });
  const unreached = createUnreached({ ...base, controllers, credentials, find: pools.find });
  const hub = createAgentHub({
    ...base,
    identity,
    replica,
    heartbeatMs: config.heartbeatMs,
    onSynced: (session) => lookAtProviders(session, pools, looks.opener),
    onEnded: orderHub.sessionEnded,
    onCommandResult: (report) => {
      consoles.commandResult(report);
      orderHub.commandResult(report);
    },
    onStored: unreached.note,
  });
  const secrets = createSecretClient(connect.transportTo('identity'));
  const hardware = createHardware({
    ...base,
    connect,
    secrets,
    inventory,
    scheduler,
    hook,
    hub,
    orderHub,
    controllers,
    credentials,
    replicaId: replica.id,
    leaseMs: config.leaseMs,
    dueMs: config.dueMs,
    find: pools.find,
  });
  const opener = createProviderOpener({
    ...base,
    scheduler,
    find: pools.find,
    tasks: hardware.tasks,
    isServed: ({ vmAgents }) => vmAgents.some((key) => hub.sessionOf(key)?.isSynced === true),
  });
  looks.opener = opener;
  looks.pools = pools;
  const runner = createOperationRunner({
    ...base,
    owner: replica.id,
    limits: config.limits,
    leaseMs: config.leaseMs,
    perform: createPerform({ store, records, scheduler, inventory }),
    agentFor: pools.agentFor,
    givesWay: (uid) => queue.hasFirst(uid),
  });
  const { concurrencyMax } = config;
  const queue = createOperationQueue({ run: runner.run, clock, log, concurrencyMax });
  const images = createImageFetcher({ ...base, owner: replica.id, idleMs: config.imageMs });
  const background = createBackground({
    ...base,
    images,
    identity,
    inventory,
    scheduler,
    coordination,
    replica,
    owner: replica.id,
    hub,
    queue,
    bell,
    pools,
    opener,
    controllers,
    tasks: hardware.tasks,
    unreached,
    hasCleaningHook: hook !== undefined,
    endCleanings: async () => hook?.endLeft(),
    wake: queue.wake,
    sweepMs: config.sweepMs,
    dueMs: config.dueMs,
    memberLeaseMs: config.memberLeaseMs,
    sinks,
    sinkTimes: {
      leaseMs: config.sinkLeaseMs,
      idleMs: config.sinkIdleMs,
      backoff: config.sinkBackoff,
    },
  });
  const neighbours = {
    inventory,
    scheduler,
    pools,
    opener,
    tasks: hardware.tasks,
    cleans: ({ isMetal }: ProviderView) => isMetal && hook !== undefined,
    cleaningMs: hook?.timeoutMs,
    taskEndMs: config.leaseMs + (hook?.endMs ?? 0),
  };
  const seeHosts: DirectoryDeps['seeHosts'] = async (key, signal) => {
    const uids = pools.ofAgent(key).map(({ uid }) => uid);
    for (const uid of uids.slice(SEEN_HOSTS_MAX)) opener.look(uid);
    await Promise.all(uids.slice(0, SEEN_HOSTS_MAX).map((uid) => opener.see(uid, signal)));
  };
  const metal = { ...hardware, orderHub, controllers, secrets };
  const issuers = createConsoleIssuers({ clock, identity });
  const loops = { queue, bell, hub, consoles, issuers, images, background };
  return { ...base, ...loops, neighbours, seeHosts, metal, replica };
};

/** An agent serves one host in general; whoever drains one waits for no more than these. */
const SEEN_HOSTS_MAX = 16;

const lookAtProviders = (
  session: AgentSession,
  pools: ProviderPools,
  opener: ProviderOpener | undefined,
): void => {
  for (const provider of pools.ofAgent(session.agentKey)) opener?.look(provider.uid);
};

const implementationsOf = (deps: Deps, parts: Parts, isStarted: () => boolean) => {
  const { clock, random, log, connect } = deps;
  const { store, records, writer, queue, bell, hub, consoles, images, replica, metal } = parts;
  const { issuers } = parts;
  const rpc = { store, records, writer, clock, random, log, wake: queue.wake };
  const heartbeatMs = deps.config.heartbeatMs ?? DEFAULTS.heartbeatMs;
  return [
    machineRpc({
      ...rpc,
      pools: parts.neighbours.pools,
      places: createPlaces(connect, clock),
      pageKey: machinePageKey,
      creations: createCreations(rpc),
      wakeFirst: queue.wakeFirst,
      owner: replica.id,
      leaseMs: deps.config.leaseMs ?? DEFAULTS.leaseMs,
    }),
    consoleRpc({ ...rpc, hub, consoles, issuers, connect, replicaId: replica.id }),
    imageRpc({ ...rpc, fetchSoon: images.nudge }),
    operationRpc({ ...rpc, changed: bell.heard }),
    eventRpc(rpc),
    agentRpc({ ...rpc, hub, consoles, secrets: metal.secrets, heartbeatMs, isStarted }),
    agentDirectoryRpc({ ...rpc, hub, seeHosts: parts.seeHosts }),
    providerStateRpc({ ...rpc, ...parts.neighbours }),
    providerHardwareRpc({ ...rpc, ...parts.neighbours, ...metal }),
    providerConsoleRpc({
      ...rpc,
      ...parts.neighbours,
      ...metal,
      hub,
      consoles,
      connect,
      replicaId: replica.id,
    }),
    orderRpc({ hub, orders: metal.orderHub }),
  ];
};
