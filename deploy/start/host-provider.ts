import { createHash } from 'node:crypto';
import { createReadStream, statfsSync } from 'node:fs';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { type Provider, ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import {
  type Image,
  ImageFormat,
  ImagePartRole,
  ImageState,
} from '../../gen/runmachine/machine/v1/image_pb.ts';
import { ImageService } from '../../gen/runmachine/machine/v1/image_service_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { LAB_LINUX_COMMAND_LINE, type LabLinux } from '../images/lab-linux/build.ts';

export const PARTITION = 'partitions/lab';
export const PROJECT = 'default';
export const IMAGE = 'lab-linux';

const CALL = { timeoutMs: 30_000 };
const UPLOAD = { timeoutMs: 600_000 };
const PART_BYTES = 512 * 1024;
/** Kept back for the control plane and the host itself. */
const RESERVED_MEMORY_BYTES = 1024n ** 3n;
/** VM processors are shared: a lab's machines are idle most of the time. */
const CPU_RATIO_MILLI = 4000;

/** This host's name in the inventory: what people call it, as an id. */
export const hostId = (): string =>
  hostname()
    .split('.')[0]
    ?.replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .slice(0, 40)
    .replace(/^[-_]+|[-_]+$/g, '') || 'host';

/** Creating what is there already is what happens at every start but the first. */
const unlessThere = async (create: Promise<unknown>): Promise<void> => {
  try {
    await create;
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.AlreadyExists) throw error;
  }
};

export const ensureLab = async (transport: Transport): Promise<void> => {
  await unlessThere(
    createClient(PartitionService, transport).createPartition(
      {
        partitionId: 'lab',
        partition: { spec: { description: 'this machine' } },
        requestId: systemRandom.requestId(),
      },
      CALL,
    ),
  );
  await unlessThere(
    createClient(ProjectService, transport).createProject(
      { projectId: PROJECT, project: { spec: {} }, requestId: systemRandom.requestId() },
      CALL,
    ),
  );
};

type Host = { readonly id: string; readonly guestsDir: string; readonly emulated: boolean };

/**
 * Records this host as a VM host served by the agent of the same name, and keeps the record true.
 */
export const ensureHostProvider = async (transport: Transport, host: Host): Promise<void> => {
  const client = createClient(ProviderService, transport);
  const spec = specOf(host);
  await unlessThere(
    client.createProvider(
      {
        parent: PARTITION,
        providerId: host.id,
        provider: { spec },
        requestId: systemRandom.requestId(),
      },
      CALL,
    ),
  );
  const name = `${PARTITION}/providers/${host.id}`;
  const present = (await client.getProvider({ name }, CALL)).provider;
  if (!present || !hasChanged(present, spec)) return;
  const updateMask = { paths: ['spec.capabilities', 'spec.inventories'] };
  const provider = { name, etag: present.etag, spec };
  await client.updateProvider({ provider, updateMask, requestId: systemRandom.requestId() }, CALL);
};

const specOf = (host: Host) => {
  const disk = statfsSync(host.guestsDir, { bigint: true });
  const memory = BigInt(totalmem());
  const reserved = memory > 2n * RESERVED_MEMORY_BYTES ? RESERVED_MEMORY_BYTES : memory / 4n;
  return {
    type: ProviderType.VM_HOST,
    capabilities: ['vm.qemu', host.emulated ? 'vm.accelerator.tcg' : 'vm.accelerator.kvm'],
    inventories: [
      {
        resourceType: 'runm.cpu.shared',
        total: BigInt(availableParallelism()),
        allocationRatioMilli: CPU_RATIO_MILLI,
      },
      { resourceType: 'runm.memory', total: memory, reserved },
      {
        resourceType: 'runm.storage.block',
        total: disk.blocks * disk.bsize,
        reserved: (disk.blocks - disk.bavail) * disk.bsize,
      },
    ],
    agentPools: [{ role: 'vm', agents: [`${PARTITION}/agents/${host.id}`] }],
  };
};

/**
 * Processors, memory, accelerator or the size of the disk; what is free of the disk moves all the
 * time.
 */
const hasChanged = (present: Provider, spec: ReturnType<typeof specOf>): boolean =>
  spec.capabilities.some((code) => !present.spec?.capabilities.includes(code)) ||
  spec.inventories.some(
    ({ resourceType, total }) =>
      present.spec?.inventories.find((one) => one.resourceType === resourceType)?.total !== total,
  );

/**
 * Imports the image once; a newer build of it is imported under its own name beside the machines
 * that use the old.
 */
export const ensureLabImage = async (transport: Transport, lab: LabLinux): Promise<string> => {
  const client = createClient(ImageService, transport);
  const { kernel, initrd } = lab;
  const parts = [
    { role: ImagePartRole.KERNEL, sha256: kernel.sha256, sizeBytes: BigInt(kernel.sizeBytes) },
    { role: ImagePartRole.INITRD, sha256: initrd.sha256, sizeBytes: BigInt(initrd.sizeBytes) },
  ];
  const isThis = (image: Image | undefined): boolean =>
    parts.every((part) => image?.spec?.parts.some((one) => one.sha256 === part.sha256));
  const plain = `images/${IMAGE}`;
  const first = await findImage(transport, plain);
  const name = first === undefined || isThis(first) ? plain : `${plain}-${digestOf(lab)}`;
  const present = name === plain ? first : await findImage(transport, name);
  if (present?.status?.state === ImageState.AVAILABLE) return name;
  const spec = {
    format: ImageFormat.KERNEL,
    commandLine: LAB_LINUX_COMMAND_LINE,
    phonesHome: true,
    parts,
  };
  const imageId = name.slice('images/'.length);
  const requestId = systemRandom.requestId();
  await unlessThere(client.createImage({ imageId, image: { spec }, requestId }, CALL));
  await uploadUnlessThere(transport, uploadOf(name, ImagePartRole.KERNEL, kernel.path));
  await uploadUnlessThere(transport, uploadOf(name, ImagePartRole.INITRD, initrd.path));
  return name;
};

const findImage = async (transport: Transport, name: string): Promise<Image | undefined> => {
  try {
    return (await createClient(ImageService, transport).getImage({ name }, CALL)).image;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  }
};

/** A start that was killed between the two uploads left one part complete. */
const uploadUnlessThere = async (
  transport: Transport,
  parts: ReturnType<typeof uploadOf>,
): Promise<void> => {
  try {
    await createClient(ImageService, transport).uploadImagePart(parts, UPLOAD);
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.FailedPrecondition) throw error;
  }
};

const digestOf = (lab: LabLinux): string =>
  createHash('sha256')
    .update(lab.kernel.sha256 + lab.initrd.sha256)
    .digest('hex')
    .slice(0, 8);

async function* uploadOf(name: string, role: ImagePartRole, path: string) {
  yield { content: { case: 'header' as const, value: { name, role } } };
  for await (const data of createReadStream(path, { highWaterMark: PART_BYTES })) {
    yield { content: { case: 'data' as const, value: new Uint8Array(data) } };
  }
}
