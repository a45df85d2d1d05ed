import { pick } from './mix.ts';

export const CPU = 'runm.cpu.shared';
export const MEMORY = 'runm.memory';
export const GIB = 1024 ** 3;

/** A model of hardware as a buyer orders it. */
export type Profile = {
  readonly name: string;
  readonly type: 'bare-metal' | 'vm-host';
  /** Of a thousand providers so many are of this profile; together a thousand. */
  readonly perMille: number;
  readonly cpus: readonly [number, ...number[]];
  readonly memoryGib: readonly [number, ...number[]];
  /** Oversubscription of processors in thousandths. */
  readonly cpuRatioMilli: number;
  readonly capabilities: readonly string[];
  /** What a request asks for that wants this profile and no other. */
  readonly mark: string;
};

const SERVER = ['bmc.redfish', 'boot.uefi', 'cpu.x86.avx2'];

export const PROFILES: readonly Profile[] = [
  {
    name: 'plain',
    type: 'bare-metal',
    perMille: 340,
    cpus: [32, 48],
    memoryGib: [128, 256],
    cpuRatioMilli: 1000,
    capabilities: [...SERVER, 'profile.plain'],
    mark: 'profile.plain',
  },
  {
    name: 'fast-net',
    type: 'bare-metal',
    perMille: 250,
    cpus: [64, 96],
    memoryGib: [256, 384, 512],
    cpuRatioMilli: 1000,
    capabilities: [...SERVER, 'net.speed.25g', 'storage.disk.ssd', 'profile.fast-net'],
    mark: 'net.speed.25g',
  },
  {
    name: 'big-memory',
    type: 'bare-metal',
    perMille: 80,
    cpus: [96, 128],
    memoryGib: [2048, 4096],
    cpuRatioMilli: 1000,
    capabilities: [...SERVER, 'storage.disk.ssd', 'memory.big'],
    mark: 'memory.big',
  },
  {
    name: 'gpu',
    type: 'bare-metal',
    perMille: 70,
    cpus: [96, 192],
    memoryGib: [1024, 2048],
    cpuRatioMilli: 1000,
    capabilities: [...SERVER, 'storage.disk.ssd', 'gpu.compute'],
    mark: 'gpu.compute',
  },
  {
    name: 'storage',
    type: 'bare-metal',
    perMille: 60,
    cpus: [32],
    memoryGib: [256],
    cpuRatioMilli: 1000,
    capabilities: [...SERVER, 'storage.disk.many'],
    mark: 'storage.disk.many',
  },
  {
    name: 'vm-host',
    type: 'vm-host',
    perMille: 200,
    cpus: [64, 128],
    memoryGib: [512, 1024],
    cpuRatioMilli: 4000,
    capabilities: [...SERVER, 'vm.accelerator.kvm', 'vm.qemu'],
    mark: 'vm.qemu',
  },
];

/** Deliveries differ: each brought firmware that can a little more. */
export const GENERATIONS = ['gen.1', 'gen.2', 'gen.3', 'gen.4'] as const;

/** All codes that any provider of a fleet may have. */
export const CAPABILITIES: readonly string[] = [
  ...new Set([...PROFILES.flatMap(({ capabilities }) => capabilities), ...GENERATIONS]),
];

export const profileAt = (fraction: number): Profile => {
  let left = fraction * 1000;
  for (const profile of PROFILES) {
    left -= profile.perMille;
    if (left < 0) return profile;
  }
  throw new Error('The profiles are less than a thousand');
};

export type Build = {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly capabilities: readonly string[];
};

/** What the fractions choose among the variants of a profile. */
export const buildOf = (profile: Profile, a: number, b: number, c: number): Build => ({
  cpus: pick(profile.cpus, a),
  memoryBytes: pick(profile.memoryGib, b) * GIB,
  capabilities: [...profile.capabilities, pick(GENERATIONS, c)].sort(),
});
