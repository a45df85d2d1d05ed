/** Machines, images and operations as values, for the tests of services/machine. */
import type { Image } from '../../../services/machine/domain/image.ts';
import type { Machine, MachineSpec, Observed } from '../../../services/machine/domain/machine.ts';
import {
  newOperation,
  type Operation,
  type Verb,
} from '../../../services/machine/domain/operation.ts';
import { OPERATION_LIMITS, type View } from '../../../services/machine/domain/view.ts';

export const MACHINE_UID = '0198a000-0000-7000-8000-000000000001';
export const PROVIDER_UID = '0198a000-0000-7000-8000-0000000000aa';
export const CLAIM_UID = '0198a000-0000-7000-8000-0000000000cc';

export const spec = (more: Partial<MachineSpec> = {}): MachineSpec => ({
  type: 'virtual',
  cpus: 1,
  memoryBytes: 256 * 1024 ** 2,
  diskBytes: 0,
  boot: { kind: 'none' },
  readyWhen: null,
  ports: [],
  claim: '',
  bootTimeoutMs: null,
  provider: '',
  ...more,
});

export const holding = {
  claim: `partitions/lab/projects/red/claims/machine-${MACHINE_UID}`,
  claimUid: CLAIM_UID,
  group: 'main',
  index: 0,
  owned: true,
  provider: 'partitions/lab/providers/host-1',
  providerUid: PROVIDER_UID,
};

export const machine = (more: Partial<Machine> = {}): Machine => ({
  uid: MACHINE_UID,
  version: 1,
  partition: 'lab',
  project: 'red',
  machineId: 'web-1',
  generation: 1,
  createMs: 1_000,
  updateMs: 1_000,
  deleteMs: null,
  properties: {},
  tags: [],
  spec: spec(),
  resolved: {
    boot: {
      kind: 'none',
      kernelSha256: '',
      initrdSha256: '',
      diskSha256: '',
      diskFormat: '',
      mediaSha256: '',
      commandLine: '',
    },
    readyWhen: { kind: 'running' },
    imageUids: [],
    diskBytes: 0,
  },
  state: 'requested',
  stateMs: 1_000,
  problem: null,
  operationUid: null,
  holding: null,
  wanted: { power: 'on', bootGeneration: 1, forceAfterMs: null },
  observed: null,
  readyMs: null,
  ...more,
});

export const observed = (more: Partial<Observed> = {}): Observed => ({
  incarnation: 1,
  generation: 1,
  power: 'on',
  bootGeneration: 1,
  boot: null,
  ready: true,
  ports: [],
  problem: null,
  gone: false,
  timeMs: 2_000,
  guestOff: false,
  emulated: false,
  ...more,
});

export const operation = (verb: Verb, more: Partial<Operation> = {}): Operation => ({
  ...newOperation(
    {
      uid: '0198a000-0000-7000-8000-00000000000f',
      partition: 'lab',
      project: 'red',
      verb,
      target: 'partitions/lab/projects/red/machines/web-1',
      targetUid: MACHINE_UID,
      caller: { principal: 'users/ann', onBehalfOf: '' },
    },
    1_000,
  ),
  ...more,
});

export const view = (more: Partial<View>): View => ({
  operation: operation('create'),
  machine: machine(),
  assignment: null,
  agent: null,
  claimMayExist: false,
  limits: OPERATION_LIMITS,
  ...more,
});

export const image = (more: Partial<Image> = {}): Image => ({
  uid: '0198a000-0000-7000-8000-0000000000ee',
  version: 1,
  imageId: 'lab-linux',
  generation: 1,
  createMs: 1_000,
  updateMs: 1_000,
  properties: {},
  tags: [],
  format: 'kernel',
  project: '',
  commandLine: '',
  phonesHome: true,
  architecture: 'x86_64',
  parts: [part('kernel', 'a'), part('initrd', 'b')],
  state: 'available',
  problem: null,
  ...more,
});

const part = (role: 'kernel' | 'initrd', digit: string) => ({
  role,
  sha256: digit.repeat(64),
  sizeBytes: 10,
  url: '',
  receivedBytes: 10,
  complete: true,
});
