/** A control plane with one of everything in it, and the kinds of callers that may reach it. */
import { createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from '@connectrpc/connect-node';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { TokenService } from '../../gen/runmachine/identity/v1/token_service_pb.ts';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { UserService } from '../../gen/runmachine/identity/v1/user_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ImageFormat, ImagePartRole } from '../../gen/runmachine/machine/v1/image_pb.ts';
import { ImageService } from '../../gen/runmachine/machine/v1/image_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import type { Claim } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { makeKeyAndRequest } from '../../services/cli/signing-request.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { type Pem, tlsMaterial } from '../../services/runtime/tls.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { createFakeAgent } from './machine-agent.ts';
import type { Pool } from './random-message.ts';

export type Caller = {
  readonly name: string;
  readonly transport: Transport;
  /** How many messages it sends to each RPC, compared with others. */
  readonly share: number;
};

export type Callers = {
  readonly all: readonly Caller[];
  /** Names, uids and tokens of what is there. */
  readonly pool: Pool;
  /** Client certificates for the mTLS listener. */
  readonly user: Pem;
  readonly agent: Pem;
  readonly close: () => void;
};

const HEARTBEAT_MS = 5_000;
const PARTITION = 'partitions/lab';
const PROJECT = `${PARTITION}/projects/default`;

export const furnish = async (plane: ControlPlane): Promise<Callers> => {
  const admin = plane.transport(plane.token);
  const closers: (() => void)[] = [];
  const inner = (pem: Pem): Transport => {
    const tls = tlsMaterial(pem);
    const addresses = () => [`127.0.0.1:${plane.mtlsPort}`];
    const transport = createGrpcJsTransport({ addresses, tls });
    closers.push(transport.close);
    return transport;
  };
  const outer = (kind: Protocol, token?: string): Transport => {
    const { transport, close } = overPeople(plane, kind, token);
    closers.push(close);
    return transport;
  };
  await createPlaces(admin);
  const host = createFakeAgent();
  await host.dial(inner(await agentCertificate(plane, 'one')));
  const beat = setInterval(() => {
    host.send({ case: 'heartbeat', value: {} }, false);
  }, HEARTBEAT_MS);
  closers.push(() => clearInterval(beat), host.hangUp);
  const uids = await createOneOfEach(admin);
  const user = await plane.certificate('fuzz');
  const agent = await agentCertificate(plane, 'two');
  const { requestPem } = await makeKeyAndRequest('fuzz');
  return {
    all: [
      { name: 'nobody over Connect', transport: outer(createConnectTransport), share: 1 },
      {
        name: 'admin over Connect',
        transport: outer(createConnectTransport, plane.token),
        share: 5,
      },
      { name: 'admin over gRPC', transport: outer(createGrpcTransport, plane.token), share: 1 },
      {
        name: 'admin over gRPC-Web',
        transport: outer(createGrpcWebTransport, plane.token),
        share: 1,
      },
      {
        name: 'a member over Connect',
        transport: outer(createConnectTransport, await memberToken(admin)),
        share: 3,
      },
      { name: 'admin with a certificate', transport: inner(user), share: 4 },
      { name: 'an agent', transport: inner(agent), share: 2 },
    ],
    pool: { texts: [...NAMES, ...uids], fields: { ...FIELDS, csr_pem: [requestPem] } },
    user,
    agent,
    close: () => {
      for (const close of closers) close();
    },
  };
};

type Protocol =
  | typeof createConnectTransport
  | typeof createGrpcTransport
  | typeof createGrpcWebTransport;

const overPeople = (plane: ControlPlane, kind: Protocol, token?: string) => {
  const sessions = new Http2SessionManager(plane.endpoint, {}, { ca: plane.caPem });
  const authorize: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
  const transport = kind({
    baseUrl: plane.endpoint,
    httpVersion: '2',
    sessionManager: sessions,
    interceptors: [authorize],
  });
  return { transport, close: () => sessions.abort() };
};

/** What patterns of the contract accept, so that requests meet something that is there. */
const IDS = ['one', 'two', 'three'];
const BELOW = ['claims', 'machines'].flatMap((noun) => IDS.map((id) => `${PROJECT}/${noun}/${id}`));
const NAMES = [
  ...IDS,
  ...[PARTITION, 'partitions/-', PROJECT, 'partitions/-/projects/-', 'projects/default'],
  ...['partitions/other/projects/default', `${PARTITION}/projects/-`],
  ...BELOW,
  ...IDS.map((id) => `${PARTITION}/providers/${id}`),
  ...IDS.map((id) => `${PARTITION}/agents/${id}`),
  ...IDS.map((id) => `${PARTITION}/discoveries/${id}`),
  ...IDS.map((id) => `projects/default/secrets/${id}`),
  ...IDS.flatMap((id) => [`images/${id}`, `capabilities/${id}`, `tokens/${id}`]),
  ...['users/tenant', 'users/two', 'roles/member', 'roles/reader', 'resourceTypes/runm.memory'],
  ...['runm.memory', 'runm.cpu.shared', 'runm.storage.block', 'runm.machine.whole', 'vm.qemu'],
];

/** What free texts must be to be more than noise. */
const FIELDS = {
  page_token: [''],
  resume_token: [''],
  etag: ['', '', ''],
  project: ['', 'projects/default'],
  partition: ['', PARTITION],
  user: ['', 'users/tenant'],
  role: ['roles/member', 'roles/reader'],
  image: ['', 'images/one'],
  claim: ['', `${PROJECT}/claims/one`],
  parent_claim: [''],
  parent_provider: [''],
  provider: ['', `${PARTITION}/providers/one`],
  resource_type: ['runm.cpu.shared', 'runm.memory'],
};

const requestId = () => systemRandom.requestId();

const createPlaces = async (admin: Transport): Promise<void> => {
  await createClient(PartitionService, admin).createPartition({
    partitionId: 'lab',
    partition: { spec: {} },
    requestId: requestId(),
  });
  await createClient(ProjectService, admin).createProject({
    projectId: 'default',
    project: { spec: {} },
    requestId: requestId(),
  });
};

const AMOUNTS = {
  'runm.cpu.shared': 64n,
  'runm.memory': 2n ** 36n,
  'runm.storage.block': 2n ** 40n,
};

/** Gives the uids of what it made. */
const createOneOfEach = async (admin: Transport): Promise<readonly string[]> => {
  const { provider } = await createClient(ProviderService, admin).createProvider({
    parent: PARTITION,
    providerId: 'one',
    provider: {
      spec: {
        type: ProviderType.VM_HOST,
        capabilities: ['vm.qemu'],
        inventories: Object.entries(AMOUNTS).map(([resourceType, total]) => ({
          resourceType,
          total,
        })),
        agentPools: [{ role: 'vm', agents: [`${PARTITION}/agents/one`] }],
      },
    },
    requestId: requestId(),
  });
  const claim = await createClaim(admin);
  const { machine } = await createClient(MachineService, admin).createMachine({
    parent: PROJECT,
    machineId: 'one',
    machine: { spec: { cpus: 1, memoryBytes: 2n ** 28n } },
    requestId: requestId(),
  });
  const { image } = await createClient(ImageService, admin).createImage({
    imageId: 'one',
    image: {
      spec: {
        format: ImageFormat.ISO,
        parts: [{ role: ImagePartRole.MEDIA, sha256: '0'.repeat(64), sizeBytes: 8n }],
      },
    },
    requestId: requestId(),
  });
  const { secret } = await createClient(SecretService, admin).createSecret({
    parent: 'projects/default',
    secretId: 'one',
    data: { user: 'root', password: 'secret' },
    requestId: requestId(),
  });
  const uids = [provider?.uid, claim?.uid, claim?.etag, machine?.uid, image?.uid, secret?.uid];
  return uids.flatMap((uid) => (uid === undefined || uid === '' ? [] : [uid]));
};

/** Until the provider is open: its agent has just come up. */
const createClaim = (admin: Transport): Promise<Claim> =>
  eventually(
    async () => {
      const answer = await createClient(ClaimService, admin).createClaim({
        parent: PROJECT,
        claimId: 'one',
        claim: {
          spec: { groups: [{ resources: [{ resourceType: 'runm.cpu.shared', amount: 1n }] }] },
        },
        requestId: requestId(),
      });
      return answer.claim;
    },
    { message: 'a first claim' },
  );

const memberToken = async (admin: Transport): Promise<string> => {
  const users = createClient(UserService, admin);
  await users.createUser({ userId: 'tenant', user: { spec: {} }, requestId: requestId() });
  const grant = { role: 'roles/member', project: 'projects/default' };
  await users.grantRole({ name: 'users/tenant', grant });
  const answer = await createClient(TokenService, admin).createToken({
    tokenId: 'fuzz-member',
    token: { spec: { user: 'users/tenant' } },
    requestId: requestId(),
  });
  return answer.secret;
};

const agentCertificate = async (plane: ControlPlane, agentId: string): Promise<Pem> => {
  const admin = createClient(TrustService, plane.transport(plane.token));
  const { secret } = await admin.createJoinToken({
    parent: PARTITION,
    roles: ['vm'],
    agentId,
    requestId: requestId(),
  });
  const { keyPem, requestPem } = await makeKeyAndRequest(agentId);
  const nobody = createClient(TrustService, plane.transport());
  const joining = { joinToken: secret, csrPem: requestPem, requestId: requestId() };
  const { certificatePem } = await nobody.join(joining);
  return { ca: plane.caPem, certificate: certificatePem, key: keyPem };
};
