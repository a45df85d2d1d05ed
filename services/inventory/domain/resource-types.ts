/**
 * What providers offer amounts of. Those of ours mean the same in every installation and cannot be
 * changed; operators define more.
 */
export type ResourceType = {
  readonly code: string;
  readonly unit: 'bytes' | 'cores' | 'machines' | 'count';
  readonly description: string;
};

export const RESOURCE_TYPES: readonly ResourceType[] = [
  {
    code: 'runm.cpu.dedicated',
    unit: 'cores',
    description: 'Processor threads of one machine only',
  },
  { code: 'runm.cpu.shared', unit: 'cores', description: 'Processor threads that machines share' },
  { code: 'runm.gpu.virtual', unit: 'count', description: 'Virtual GPUs' },
  { code: 'runm.ipv4', unit: 'count', description: 'IPv4 addresses' },
  { code: 'runm.machine.whole', unit: 'machines', description: 'A whole server, with all it has' },
  { code: 'runm.memory', unit: 'bytes', description: 'Memory' },
  { code: 'runm.network.vlan', unit: 'count', description: 'VLAN ids' },
  { code: 'runm.storage.block', unit: 'bytes', description: 'Block storage' },
];

/** Codes that begin so are ours. */
const OWN_PREFIX = 'runm.';

export const isBuiltIn = (code: string): boolean => code.toLowerCase().startsWith(OWN_PREFIX);

export const BUILT_IN_RESOURCE_TYPES: ReadonlySet<string> = new Set(
  RESOURCE_TYPES.map((type) => type.code),
);

/** Capabilities that every installation knows; operators define more. */
export const BUILT_IN_CAPABILITIES: Readonly<Record<string, string>> = {
  'bmc.ipmi': 'Has a BMC that speaks IPMI 2.0',
  'bmc.redfish': 'Has a BMC that speaks Redfish',
  'boot.uefi': 'Boots by UEFI',
  'cpu.x86.avx2': 'Its processors have AVX2',
  'net.speed.25g': 'Has a network interface of 25 Gbit/s',
  'storage.disk.ssd': 'Has a solid-state disk',
  'vm.accelerator.kvm': 'Runs virtual machines on KVM',
  'vm.accelerator.tcg': 'Runs virtual machines by emulation, which is slow',
  'vm.qemu': 'Runs virtual machines on qemu',
};
