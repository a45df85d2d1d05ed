import type { Transport } from '@connectrpc/connect';
import { PUBLIC_SERVICES, SERVICE_OF_AREA, type ServiceName } from './contract.ts';
import { grantsOfKind } from './metadata/main.ts';
import type { Clock } from './runtime/clock.ts';
import type { Logger } from './runtime/log.ts';
import { createMetrics } from './runtime/metrics.ts';
import type { Component } from './runtime/process.ts';
import type { Random } from './runtime/random.ts';
import { absent } from './runtime/rpc/absent.ts';
import { createAuthenticator } from './runtime/rpc/authenticator.ts';
import { letGoOfClosedStreams } from './runtime/rpc/closed-streams.ts';
import type { Downloads } from './runtime/rpc/downloads.ts';
import { createGrpcJsTransport, type GrpcTransport } from './runtime/rpc/grpc-js-transport.ts';
import { type GuardedService, guardAll } from './runtime/rpc/guard.ts';
import { createHealthBoard, healthService } from './runtime/rpc/health.ts';
import { inMemoryTransport } from './runtime/rpc/in-memory.ts';
import { createIntrospection } from './runtime/rpc/introspection.ts';
import type { Listen, Mount } from './runtime/rpc/mount.ts';
import { mountGrpcJs } from './runtime/rpc/mount-grpc-js.ts';
import { mountPeople } from './runtime/rpc/mount-people.ts';
import { createPipeline, type Pipeline } from './runtime/rpc/pipeline.ts';
import { reflectionServices } from './runtime/rpc/reflection.ts';
import { servingComponent } from './runtime/rpc/serving.ts';
import type { Area, Connect, RunningService, ServiceDeps } from './runtime/service.ts';
import type { TlsMaterial } from './runtime/tls.ts';
import { register, watchMembers } from './store/coordination/membership.ts';
import type { Coordination } from './store/coordination/port.ts';
import { type Revocations, watchRevocations } from './store/coordination/revocations.ts';

/**
 * Puts any set of services into one process: each gets ways to the others (in memory when they are
 * here, else over mTLS by the addresses that members register), one pipeline guards all, and two
 * listeners serve them.
 */
export type AssemblyOptions = {
  readonly cluster: string;
  readonly replica: { readonly id: string; readonly address: string };
  readonly coordination: Coordination;
  readonly sqlUrl: (service: ServiceName) => string;
  /** Names of the services that are added; known from the start, so that calls find them. */
  readonly services: readonly ServiceName[];
  readonly people: PeopleListener | undefined;
  readonly mtls: { readonly listen: Listen; readonly tls: TlsMaterial };
  /** Origins of web pages that may call the listener for people. */
  readonly origins: readonly string[];
  /** How long load balancers get to notice a drain. */
  readonly noticeMs: number;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

export type Assembly = {
  /** What a service's factory gets; `config` is the service's own. */
  readonly depsOf: <Config>(service: ServiceName, config: Config) => ServiceDeps<Config>;
  readonly add: (service: ServiceName, running: RunningService) => void;
  /** Starts background work and listeners, in order; stops in reverse. */
  readonly components: () => readonly Component[];
  readonly transportTo: (area: Area, caller: string) => Transport;
  /** Listeners, once they serve. */
  readonly mounts: () => readonly Mount[];
  /** All loggers of the process, to change their level while it runs. */
  readonly loggers: () => readonly Logger[];
};

export type PeopleListener = {
  readonly listen: Listen;
  readonly tls: TlsMaterial;
  /** Files for anybody beside the RPCs; absent = none. */
  readonly downloads?: Downloads;
};

const LEASE_TTL_MS = 10_000;

type Added = { readonly name: ServiceName; readonly running: RunningService };

export const createAssembly = (options: AssemblyOptions): Assembly => {
  const { clock, random, log, coordination } = options;
  const added: Added[] = [];
  const children: Logger[] = [];
  const ended = new AbortController();
  letGoOfClosedStreams();
  const metrics = createMetrics({ withProcess: true });
  const revocations = watchRevocations(options, ended.signal, () => {
    // A revoked agent is cut off now, not at the next look at its stream.
    pipeline.recheckStreams();
  });
  const pipeline = createPipeline({
    clock,
    random,
    log,
    metrics: metrics.rpc,
    authenticate: (peer, signal) => authenticate(peer, signal),
  });
  let guarded: readonly GuardedService[] | undefined;
  const guardedServices = (): readonly GuardedService[] => {
    guarded ??= guardAll(
      added.flatMap(({ running }) => running.implementations),
      pipeline,
    );
    return guarded;
  };
  const remote = createRemotes(options, ended.signal);
  const transportTo = (area: Area, caller: string): Transport => {
    const service = SERVICE_OF_AREA[area];
    const isHere = options.services.includes(service);
    // Made when first asked: a service may ask for its neighbours before they were added.
    const inMemory = inMemoryTransport({ services: guardedServices, caller });
    const choose = () => (isHere ? inMemory : remote.toService(service));
    return {
      unary: (...call) => choose().unary(...call),
      stream: (...call) => choose().stream(...call),
    };
  };
  const judge = createIntrospection(transportTo('identity', 'authenticator'));
  const authenticate = createAuthenticator({
    clock,
    cluster: options.cluster,
    grantsOf: grantsOfKind,
    introspect: judge.introspect,
    lookUpApp: judge.lookUpApp,
    isRevoked: revocations.isRevoked,
  });
  const connectOf = (caller: ServiceName): Connect => ({
    transportTo: (area) => transportTo(area, caller),
    transportToAddress: remote.toAddress,
  });
  let mounts: readonly Mount[] = [];
  return {
    transportTo,
    mounts: () => mounts,
    loggers: () => [log, ...children],
    add: (name, running) => added.push({ name, running }),
    depsOf: (service, config) => {
      const child = log.child({ service });
      children.push(child);
      return {
        config,
        clock,
        random,
        log: child,
        sql: { url: options.sqlUrl(service) },
        coordination,
        connect: connectOf(service),
        cluster: options.cluster,
        replica: options.replica,
      };
    },
    components: () => [
      neighboursComponent({ ended, remote, revocations }),
      ...added.map(({ name, running }) => serviceComponent(name, running)),
      listeners(options, { added, pipeline, guardedServices, metrics }, (served) => {
        mounts = served;
      }),
      // Found by others only while it serves.
      membersComponent(options, added),
    ],
  };
};

const serviceComponent = (name: ServiceName, running: RunningService): Component => {
  const ended = new AbortController();
  return {
    name,
    start: () => running.start(ended.signal),
    stop: async () => {
      ended.abort();
      await running.stop();
    },
  };
};

type Remotes = {
  readonly toService: (service: ServiceName) => Transport;
  readonly toAddress: (address: string) => Transport;
  readonly close: () => void;
};

const ADDRESSES_MAX = 256;
const LIST_LIMIT_MS = 3_000;

const createRemotes = (options: AssemblyOptions, signal: AbortSignal): Remotes => {
  const services = new Map<ServiceName, GrpcTransport>();
  const byAddress = new Map<string, GrpcTransport>();
  const { tls } = options.mtls;
  return {
    toService: (service) => {
      const known = services.get(service);
      if (known) return known;
      const members = watchMembers(options, { service, signal });
      const addresses = () => [...new Set(members.list().map((member) => member.address))];
      const made = listedFirst(createGrpcJsTransport({ addresses, tls }), members.ready, options);
      services.set(service, made);
      return made;
    },
    toAddress: (address) => {
      const known = byAddress.get(address);
      if (known) return known;
      for (const [old, transport] of byAddress) {
        if (byAddress.size < ADDRESSES_MAX) break;
        transport.close();
        byAddress.delete(old);
      }
      const made = createGrpcJsTransport({ addresses: () => [address], tls });
      byAddress.set(address, made);
      return made;
    },
    close: () => {
      for (const transport of [...services.values(), ...byAddress.values()]) transport.close();
    },
  };
};

/** The first calls of a process wait a moment for the list of replicas instead of failing. */
const listedFirst = (
  transport: GrpcTransport,
  ready: Promise<void>,
  { clock }: AssemblyOptions,
): GrpcTransport => {
  const listed = Promise.race([ready, clock.sleep(LIST_LIMIT_MS)]).catch(() => undefined);
  return {
    unary: async (...call) => {
      await listed;
      return transport.unary(...call);
    },
    stream: async (...call) => {
      await listed;
      return transport.stream(...call);
    },
    close: transport.close,
  };
};

/** First to start and last to stop: what is known of the other processes, and ways to them. */
const neighboursComponent = ({
  ended,
  remote,
  revocations,
}: {
  readonly ended: AbortController;
  readonly remote: Remotes;
  readonly revocations: Revocations;
}): Component => ({
  name: 'neighbours',
  // Serving before they were read would let a revoked agent in.
  start: () => revocations.ready,
  stop: async () => {
    ended.abort();
    remote.close();
  },
});

/** Others find this process by `members/<service>/<id>`; the keys vanish with it. */
const membersComponent = (options: AssemblyOptions, added: readonly Added[]): Component => {
  const ended = new AbortController();
  let registrations: Promise<void>[] = [];
  return {
    name: 'members',
    start: async () => {
      const { id, address } = options.replica;
      registrations = added.map(({ name: service }) =>
        register(options, { service, id, address, leaseTtlMs: LEASE_TTL_MS, signal: ended.signal }),
      );
    },
    stop: async () => {
      ended.abort();
      await Promise.all(registrations);
    },
  };
};

type Served = {
  readonly added: readonly Added[];
  readonly pipeline: Pipeline;
  readonly guardedServices: () => readonly GuardedService[];
  readonly metrics: ReturnType<typeof createMetrics>;
};

const listeners = (
  options: AssemblyOptions,
  { added, pipeline, guardedServices, metrics }: Served,
  onMounted: (mounts: readonly Mount[]) => void,
): Component => {
  const board = createHealthBoard();
  const services = (): readonly GuardedService[] => {
    const here = guardedServices();
    const names = new Set(here.map(({ service }) => service.typeName));
    const others = PUBLIC_SERVICES.filter(({ typeName }) => !names.has(typeName)).map(absent);
    const common = [...reflectionServices(PUBLIC_SERVICES), healthService(board)];
    return [...here, ...guardAll([...others, ...common], pipeline)];
  };
  const notReady = async (): Promise<readonly string[]> => {
    const checks = added.map(({ name, running }) =>
      running.ready().then(
        () => '',
        (error: unknown) => `${name}: ${error instanceof Error ? error.message : String(error)}`,
      ),
    );
    const draining = board.isServing('') === true ? [] : ['draining'];
    return [...draining, ...(await Promise.all(checks)).filter((reason) => reason !== '')];
  };
  const probes = {
    notReady,
    metrics: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
    about: `runmachine ${options.version}`,
  };
  return servingComponent({
    clock: options.clock,
    board,
    pipeline,
    noticeMs: options.noticeMs,
    onMounted,
    mount: async () => {
      const all = services();
      for (const { service } of guardedServices()) board.set(service.typeName, true);
      const { log, origins, people, mtls } = options;
      const mounted = [await mountGrpcJs({ services: all, log, ...mtls })];
      if (people)
        mounted.push(await mountPeople({ services: all, log, probes, origins, ...people }));
      return mounted;
    },
  });
};
