/**
 * A control plane with servers of two tenants, as operators keep it: controllers with addresses and
 * secrets, machines on them, and what scans found. Every text that only operators may see holds one
 * of SECRETIVE.
 */
import { createClient, type Transport } from '@connectrpc/connect';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { TokenService } from '../../gen/runmachine/identity/v1/token_service_pb.ts';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { UserService } from '../../gen/runmachine/identity/v1/user_service_pb.ts';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { DistanceTypeService } from '../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { BmcType, NicType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ImageFormat, ImagePartRole } from '../../gen/runmachine/machine/v1/image_pb.ts';
import { ImageService } from '../../gen/runmachine/machine/v1/image_service_pb.ts';
import { MachineType } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { OperationService } from '../../gen/runmachine/machine/v1/operation_service_pb.ts';
import { ProviderHardwareService } from '../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { QuotaService } from '../../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import { makeKeyAndRequest } from '../../services/cli/signing-request.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { tlsMaterial } from '../../services/runtime/tls.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { createFakeAgent } from './machine-agent.ts';
import { createFakeControllers } from './machine-controllers.ts';

export const PARTITION = 'partitions/lab';
const AGENT = `${PARTITION}/agents/one`;
const SECRET = 'projects/infra/secrets/bmc-of-the-rack';
const HEARTBEAT_MS = 5_000;

/** Parts of addresses, MACs, serial numbers, certificates and secrets of controllers. */
export const SECRETIVE = [
  ...['10.66.6.', '10.0.0.7', '02:66:66:', 'SERIAL-', 'abababab'],
  ...['bmc-of-the-rack', 'user-of-bmc', 'password-of-bmc'],
];

export type Tenant = {
  readonly project: string;
  readonly transport: Transport;
  /** Machine, claim and operations: names and uids of what is his alone. */
  readonly own: readonly string[];
  /** Name of his machine. */
  readonly machine: string;
};

export type MetalPlane = AsyncDisposable & {
  readonly plane: ControlPlane;
  readonly admin: Transport;
  readonly owner: Tenant;
  readonly stranger: Tenant;
  /** Names of one object at least of every kind. */
  readonly names: readonly string[];
};

const requestId = () => systemRandom.requestId();

export const startMetalPlane = async (): Promise<MetalPlane> => {
  await using stack = new AsyncDisposableStack();
  const plane = stack.use(await startControlPlane());
  const admin = plane.transport(plane.token);
  await makePlaces(admin);
  stack.defer(await connectAgent(plane));
  const providers = [await makeServer(admin, 1), await makeServer(admin, 2)];
  await scan(admin);
  const owner = await makeTenant(plane, 'owner');
  const stranger = await makeTenant(plane, 'stranger');
  const others = await makeOthers(plane);
  const kept = stack.move();
  return {
    plane,
    admin,
    owner,
    stranger,
    names: [...providers, ...others, ...owner.own, ...stranger.own],
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
};

const makePlaces = async (admin: Transport): Promise<void> => {
  const partition = { partitionId: 'lab', partition: { spec: {} }, requestId: requestId() };
  await createClient(PartitionService, admin).createPartition(partition);
  const project = { projectId: 'infra', project: { spec: {} }, requestId: requestId() };
  await createClient(ProjectService, admin).createProject(project);
  await createClient(SecretService, admin).createSecret({
    parent: 'projects/infra',
    secretId: 'bmc-of-the-rack',
    data: { user: 'user-of-bmc', password: 'password-of-bmc' },
    requestId: requestId(),
  });
};

const connectAgent = async (plane: ControlPlane): Promise<() => void> => {
  const trust = createClient(TrustService, plane.transport(plane.token));
  const asked = { parent: PARTITION, roles: ['bmc'], agentId: 'one', requestId: requestId() };
  const { secret } = await trust.createJoinToken(asked);
  const { keyPem, requestPem } = await makeKeyAndRequest('one');
  const joining = { joinToken: secret, csrPem: requestPem, requestId: requestId() };
  const nobody = createClient(TrustService, plane.transport());
  const { certificatePem } = await nobody.join(joining);
  const transport = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${plane.mtlsPort}`],
    tls: tlsMaterial({ ca: plane.caPem, certificate: certificatePem, key: keyPem }),
  });
  const controllers = createFakeControllers();
  controllers.serial = 'SERIAL-';
  const agent = createFakeAgent({ roles: ['bmc'], bmc: controllers });
  await agent.dial(transport);
  const beat = setInterval(() => agent.send({ case: 'heartbeat', value: {} }, false), HEARTBEAT_MS);
  return () => {
    clearInterval(beat);
    agent.hangUp();
    transport.close();
  };
};

const makeServer = async (admin: Transport, at: number): Promise<string> => {
  const { provider } = await createClient(ProviderService, admin).createProvider({
    parent: PARTITION,
    providerId: `r1u${at}`,
    provider: {
      spec: {
        type: ProviderType.BARE_METAL,
        inventories: [{ resourceType: 'runm.machine.whole', total: 1n }],
        bmc: { type: BmcType.REDFISH, address: `https://10.66.6.${at}`, secret: SECRET },
        nics: [
          { label: 'eth0', mac: `02:66:66:00:0${at}:01`, type: NicType.PHYSICAL, primary: true },
          { label: 'bmc', mac: `02:66:66:00:0${at}:02`, type: NicType.BMC },
        ],
        agentPools: [{ role: 'bmc', agents: [AGENT] }],
      },
    },
    requestId: requestId(),
  });
  if (provider === undefined) throw new Error('no provider');
  return provider.name;
};

const scan = async (admin: Transport): Promise<void> => {
  await createClient(ProviderHardwareService, admin).scanControllers({
    parent: PARTITION,
    ranges: ['10.0.0.7'],
    secret: SECRET,
    requestId: requestId(),
  });
};

/** A member of a project of his own, with a server. */
const makeTenant = async (plane: ControlPlane, id: string): Promise<Tenant> => {
  const admin = plane.transport(plane.token);
  const project = { projectId: `of-${id}`, project: { spec: {} }, requestId: requestId() };
  await createClient(ProjectService, admin).createProject(project);
  const users = createClient(UserService, admin);
  await users.createUser({ userId: id, user: { spec: {} }, requestId: requestId() });
  const grant = { role: 'roles/member', project: `projects/of-${id}` };
  await users.grantRole({ name: `users/${id}`, grant });
  const { secret } = await createClient(TokenService, admin).createToken({
    tokenId: `token-of-${id}`,
    token: { spec: { user: `users/${id}` } },
    requestId: requestId(),
  });
  const transport = plane.transport(secret);
  return { project: `of-${id}`, transport, ...(await makeMachine(transport, id)) };
};

/** The server is open when its facts have been read. */
const makeMachine = async (transport: Transport, id: string) => {
  const machines = createClient(MachineService, transport);
  const parent = `${PARTITION}/projects/of-${id}`;
  const name = `${parent}/machines/machine-of-${id}`;
  await eventually(
    async () => {
      const machine = { spec: { type: MachineType.BARE_METAL } };
      const machineId = `machine-of-${id}`;
      await machines.createMachine({ parent, machineId, machine, requestId: requestId() });
      return true;
    },
    { message: 'a server is open for claims' },
  );
  const machine = await eventually(
    async () => {
      const answer = await machines.getMachine({ name });
      return answer.machine?.status?.claim ? answer.machine : undefined;
    },
    { message: 'the machine has its claim' },
  );
  const listed = await createClient(OperationService, transport).listOperations({
    parent: PARTITION,
  });
  const operations = listed.operations.map((operation) => operation.name);
  const { createSecret } = createClient(SecretService, transport);
  const secret = { parent: `projects/of-${id}`, secretId: `secret-of-${id}` };
  const kept = await createSecret({ ...secret, data: { key: 'value' }, requestId: requestId() });
  const claim = machine.status?.claim ?? '';
  const { uid } = machine;
  const byUid = `${parent}/machines/${uid}`;
  return { machine: name, own: [name, byUid, claim, ...operations, kept.secret?.name ?? ''] };
};

/** What the other kinds of reads want to find. */
const makeOthers = async (plane: ControlPlane): Promise<readonly string[]> => {
  const admin = plane.transport(plane.token);
  await createClient(CapabilityService, admin).createCapability({
    capabilityId: 'cooling.water',
    capability: { spec: { description: 'Cooled by water' } },
    requestId: requestId(),
  });
  await createClient(DistanceTypeService, admin).createDistanceType({
    distanceTypeId: 'fabric',
    distanceType: { spec: { steps: [{ code: 'near', position: 1 }] } },
    requestId: requestId(),
  });
  await createClient(ProviderGroupService, admin).createProviderGroup({
    parent: PARTITION,
    groupId: 'r1',
    group: { spec: { kind: GroupKind.RACK } },
    requestId: requestId(),
  });
  const { quota } = await createClient(QuotaService, admin).setQuota({
    quota: {
      name: `${PARTITION}/projects/of-owner/quota`,
      spec: { limits: [{ resourceType: 'runm.machine.whole', amount: 66n }] },
    },
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
  await plane.certificate('one');
  return [
    ...[image?.name ?? '', quota?.name ?? '', PARTITION, `${PARTITION}/groups/r1`, AGENT, SECRET],
    ...['capabilities/cooling.water', 'distanceTypes/fabric', 'definitions/runm.provider'],
    ...['resourceTypes/runm.memory', 'roles/member', 'users/owner', 'tokens/token-of-owner'],
    ...['certificates/one', 'projects/of-owner', `${PARTITION}/discoveries/10.0.0.7`],
    ...['r1u1', 'r1u2'].map((id) => `${PARTITION}/providers/${id}/state`),
  ];
};
