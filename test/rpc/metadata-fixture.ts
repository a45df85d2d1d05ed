/** The metadata service on a database of its own, with stand-ins for the services that it asks. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { createRouterTransport, type Transport } from '@connectrpc/connect';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { ExecutionContext } from 'ava';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import type { ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimService,
  ListClaimsResponseSchema,
} from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import {
  createMetadataService,
  grantsOfKind,
  type MetadataService,
} from '../../services/metadata/main.ts';
import { notFound, unavailable } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createAuthenticator } from '../../services/runtime/rpc/authenticator.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';
import { createIntrospection } from '../../services/runtime/rpc/introspection.ts';
import type { Area } from '../../services/runtime/service.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { type GuardedTransports, guardedTransports } from '../support/guarded-transports.ts';
import { type ShiftedClock, shiftedClock } from '../support/shifted-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

export const TEST_CLUSTER = 'test';

/** What the stand-ins answer; a test changes it. */
export type World = {
  readonly partitions: Set<string>;
  machines: number;
  claims: readonly ClaimState[];
  isSchedulerAway: boolean;
};

export type MetadataFixture = GuardedTransports & {
  readonly service: MetadataService;
  readonly coordination: Coordination;
  readonly clock: ShiftedClock;
  readonly world: World;
  readonly adminToken: string;
  readonly admin: Transport;
  readonly dir: string;
};

export type FixtureOptions = {
  /** Absent = a SQLite file. */
  readonly url?: string;
  /** How long the authenticator keeps an answer; absent = not at all. */
  readonly cacheMs?: number;
};

export const startMetadata = async (
  t: ExecutionContext,
  { url, cacheMs = 0 }: FixtureOptions = {},
): Promise<MetadataFixture> => {
  const dir = temporaryDir({ inMemory: true });
  t.teardown(() => dir[Symbol.dispose]());
  const clock = shiftedClock();
  const world: World = {
    partitions: new Set(['lab']),
    machines: 0,
    claims: [],
    isSchedulerAway: false,
  };
  const coordination = openEmbeddedCoordination({
    file: ':memory:',
    clock,
    random: systemRandom,
    log: silentLog,
  });
  const ended = new AbortController();
  const service = await createMetadataService({
    config: { masterKeyFile: join(dir.path, 'master.key'), createMasterKey: true },
    clock,
    random: systemRandom,
    log: silentLog,
    sql: { url: url ?? `sqlite:${join(dir.path, 'metadata.db')}`, limits: PATIENCE },
    coordination,
    connect: {
      transportTo: (area) => standIn(area, world),
      transportToAddress: () => standIn('machine', world),
    },
    cluster: TEST_CLUSTER,
    replica: { id: 'one', address: '127.0.0.1:1' },
  });
  const tokenFile = join(dir.path, 'admin.token');
  await service.ensureAdminToken(tokenFile);
  await service.start(ended.signal);
  t.teardown(async () => {
    ended.abort();
    await service.stop();
    await coordination.close();
  });
  const transports = guardedTransports({
    clock,
    implementations: () => service.implementations,
    authenticate: createAuthenticator({
      clock,
      cluster: TEST_CLUSTER,
      grantsOf: (kind) => grantsOfKind(kind),
      ...createIntrospection({
        unary: (...call) => transports.asService('machine').unary(...call),
        stream: (...call) => transports.asService('machine').stream(...call),
      }),
      cacheMs,
    }),
  });
  const adminToken = (await readFile(tokenFile, 'utf8')).trim();
  const admin = transports.asPerson(adminToken);
  return { ...transports, service, coordination, clock, world, adminToken, admin, dir: dir.path };
};

const standIn = (_: Area, world: World): Transport =>
  createRouterTransport((router) => {
    router.rpc(PartitionService.method.getPartition, ({ name }) => {
      if (world.partitions.has(name.slice('partitions/'.length))) return { partition: { name } };
      throw toConnectError(notFound('NOT_FOUND', `"${name}" does not exist`));
    });
    router.rpc(MachineService.method.listMachines, ({ pageSize }) => ({
      machines: Array.from({ length: Math.min(world.machines, pageSize) }, () => ({})),
    }));
    router.rpc(ClaimService.method.listClaims, () => {
      if (world.isSchedulerAway) throw toConnectError(unavailable('NO_LEADER', 'Nobody leads'));
      return create(ListClaimsResponseSchema, {
        claims: world.claims.map((state) => ({ status: { state } })),
      });
    });
  });

type Algorithm = Parameters<typeof webcrypto.subtle.generateKey>[0];

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A key and requests signed with it. */
export const newSigner = async (algorithm: Algorithm = P256) => {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  if (!('privateKey' in keys)) throw new Error('Not a key pair');
  return {
    csrPem: async (name = 'CN=whoever'): Promise<string> => {
      const signingAlgorithm = typeof algorithm === 'string' ? { name: algorithm } : algorithm;
      const csr = await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm });
      return csr.toString('pem');
    },
  };
};

export const newId = systemRandom.requestId;
