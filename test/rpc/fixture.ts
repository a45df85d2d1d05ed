/**
 * One process's listeners over handlers that answer from the request, for the tests in this folder.
 */
import type { DescService } from '@bufbuild/protobuf';
import { createServiceImplSpec, type ServiceImpl, type Transport } from '@connectrpc/connect';
import { IdentityService } from '../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { ConsoleService } from '../../gen/runmachine/machine/v1/console_service_pb.ts';
import { ImageService } from '../../gen/runmachine/machine/v1/image_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { createPeopleTransport } from '../../services/runtime/client.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { callOf } from '../../services/runtime/context.ts';
import { failedPrecondition } from '../../services/runtime/errors.ts';
import type { Grant, Identity } from '../../services/runtime/identity.ts';
import { createMetrics } from '../../services/runtime/metrics.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { absent } from '../../services/runtime/rpc/absent.ts';
import { createAuthenticator } from '../../services/runtime/rpc/authenticator.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { guardAll } from '../../services/runtime/rpc/guard.ts';
import {
  createHealthBoard,
  type HealthBoard,
  healthService,
} from '../../services/runtime/rpc/health.ts';
import { inMemoryTransport } from '../../services/runtime/rpc/in-memory.ts';
import type { Mount } from '../../services/runtime/rpc/mount.ts';
import { mountGrpcJs } from '../../services/runtime/rpc/mount-grpc-js.ts';
import { mountPeople } from '../../services/runtime/rpc/mount-people.ts';
import type { ConnectionLimits } from '../../services/runtime/rpc/people-server.ts';
import {
  createPipeline,
  type Pipeline,
  type PipelineLimits,
} from '../../services/runtime/rpc/pipeline.ts';
import { reflectionServices } from '../../services/runtime/rpc/reflection.ts';
import type { Implementation } from '../../services/runtime/service.ts';
import type { MutableTls } from '../../services/runtime/tls.ts';
import { type Authority, CLUSTER, createAuthority } from '../support/certificates.ts';
import { silentLog } from '../support/silent-log.ts';

export const ORIGIN = 'https://console.example';
export const PROJECT = 'partitions/lab/projects/red';
export const MACHINE = `${PROJECT}/machines/m1`;
export const FOREIGN = 'partitions/lab/projects/blue/machines/m1';

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

/** Bearer tokens that the fixture knows. */
export const USERS: ReadonlyMap<string, Identity> = new Map([
  ['admin-token', user('admin', [grant(['*'])])],
  ['red-token', user('red', [grant(['machine.*', 'image.*'], { project: 'red' })])],
  ['reader-token', user('reader', [grant(['machine.get'], { project: 'red' })])],
]);

export type Fixture = {
  readonly authority: Authority;
  readonly pipeline: Pipeline;
  readonly people: Mount;
  readonly machines: Mount;
  readonly tls: MutableTls;
  /** Tokens; a test may take one away. */
  readonly users: Map<string, Identity>;
  readonly board: HealthBoard;
  /** Serial numbers of revoked certificates. */
  readonly revoked: Set<string>;
  /** What handlers noted, by machine name. */
  readonly seen: Map<string, number>;
  /** The contract over each way in, with full rights. */
  readonly transports: Readonly<Record<'grpcJs' | 'people' | 'inMemory', Transport>>;
  readonly overGrpc: (tls: MutableTls) => Transport;
  readonly overPeople: (token?: string) => Transport;
  readonly endpoint: string;
  readonly stop: () => Promise<void>;
};

export type FixtureOptions = {
  readonly limits?: Partial<PipelineLimits>;
  readonly connections?: Partial<ConnectionLimits>;
  readonly more?: readonly Implementation[];
};

export const startFixture = async (options: FixtureOptions = {}): Promise<Fixture> => {
  const authority = await createAuthority();
  const users = new Map(USERS);
  const seen = new Map<string, number>();
  const revoked = new Set<string>();
  const metrics = createMetrics();
  const pipeline = createPipeline({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metrics: metrics.rpc,
    authenticate: createAuthenticator({
      clock: systemClock,
      cluster: CLUSTER,
      grantsOf: (kind) => (kind === 'service' ? [grant(['*'])] : []),
      introspect: (token) => Promise.resolve(users.get(token)),
      lookUpApp: (uid) => Promise.resolve(users.get(uid)),
      isRevoked: ({ serial }) => revoked.has(serial.toUpperCase()),
      cacheMs: 50,
    }),
    ...(options.limits && { limits: options.limits }),
  });
  const board = createHealthBoard();
  board.set('', true);
  const own = [...handlers(seen), absent(IdentityService), ...(options.more ?? [])];
  const services = guardAll(
    [...own, healthService(board), ...reflectionServices(own.map(({ service }) => service))],
    pipeline,
  );
  const tls = await authority.service('machine');
  const listen = { host: '127.0.0.1', port: 0 };
  const machines = await mountGrpcJs({ services, tls, listen, log: silentLog });
  const people = await mountPeople({
    services,
    tls,
    listen,
    log: silentLog,
    origins: [ORIGIN],
    probes: {
      notReady: () => Promise.resolve(board.isServing('') ? [] : ['stopping']),
      metrics: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
      about: 'runmachine',
    },
    ...(options.connections && { limits: options.connections }),
  });
  const endpoint = `https://127.0.0.1:${people.port}`;
  const closers: (() => void)[] = [];
  const overGrpc = (own: MutableTls) => {
    const transport = createGrpcJsTransport({
      addresses: () => [`127.0.0.1:${machines.port}`],
      tls: own,
      serverId: `spiffe://${CLUSTER}/service/machine`,
    });
    closers.push(transport.close);
    return transport;
  };
  const overPeople = (token?: string) => {
    const made = createPeopleTransport({
      endpoint,
      caPem: authority.ca,
      ...(token !== undefined && { token }),
    });
    closers.push(made.close);
    return made.transport;
  };
  return {
    authority,
    pipeline,
    people,
    machines,
    tls,
    users,
    seen,
    revoked,
    board,
    endpoint,
    overGrpc,
    overPeople,
    transports: {
      grpcJs: overGrpc(await authority.service('scheduler')),
      people: overPeople('admin-token'),
      inMemory: inMemoryTransport({ services: () => services, caller: 'scheduler' }),
    },
    stop: async () => {
      for (const close of closers) close();
      await Promise.all([people, machines].map((mount) => mount.stop(AbortSignal.timeout(500))));
    },
  };
};

const serving = <T extends DescService>(
  service: T,
  impl: Partial<ServiceImpl<T>>,
): Implementation => ({ service, spec: createServiceImplSpec<T>(service, impl) });

const handlers = (seen: Map<string, number>): Implementation[] => [
  serving(MachineService, machineMethods(seen)),
  serving(ConsoleService, {
    // Echoes what is typed, in upper case.
    async *attachConsole(requests) {
      for await (const { content } of requests) {
        if (content.case === 'open') {
          yield { content: { case: 'opened', value: { sessionId: content.value.name } } };
        } else if (content.case === 'data') {
          const text = Buffer.from(content.value).toString().toUpperCase();
          yield { content: { case: 'data', value: Buffer.from(text) } };
        }
      }
      yield { content: { case: 'closed', value: 'bye' } };
    },
  }),
  serving(ImageService, {
    // Answers the number of bytes as uid.
    uploadImagePart: async (requests) => {
      let bytes = 0;
      for await (const { content } of requests) {
        if (content.case === 'data') bytes += content.value.length;
      }
      return { image: { uid: String(bytes) } };
    },
  }),
];

const machineMethods = (
  seen: Map<string, number>,
): Partial<ServiceImpl<typeof MachineService>> => ({
  getMachine: async ({ name }, context) => {
    const call = callOf(context);
    if (name.endsWith('/stopped')) {
      throw failedPrecondition('INVALID_STATE', 'The machine is stopped, not active', {
        invalidState: { state: 'STOPPED', allowed: ['ACTIVE'] },
        metadata: { machine: name },
      });
    }
    if (name.endsWith('/broken')) throw new TypeError('the secret inside');
    if (name.endsWith('/slow')) await new Promise(() => undefined);
    const tags = [call.identity.principal, call.actor.principal, String(call.hops)];
    return { machine: { name, uid: call.requestId, tags } };
  },
  listMachines: async (_, context) => {
    const { access } = callOf(context);
    return { machines: [...access.projects].map((name) => ({ name })) };
  },
  // Has a hole on purpose: looks at nobody's access.
  createMachine: async () => ({}),
  startMachine: async (_, context) => {
    const mark = callOf(context).requestMark;
    return { machine: { uid: Buffer.from(mark?.argumentHash ?? []).toString('hex') } };
  },
  // Counts for ever; every answer is noted, so that a test sees how far the handler ran ahead.
  async *watchMachines({ parent }, context) {
    try {
      for (let at = 0; !context.signal.aborted; at += 1) {
        seen.set(parent, at);
        yield { resumeToken: String(at).padEnd(4096, '.') };
        if (parent.endsWith('/idle')) await new Promise(() => undefined);
      }
    } finally {
      seen.set(`${parent} ended`, 1);
    }
  },
});
