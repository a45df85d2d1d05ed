/**
 * The system programs we use, with the names that distributions give them. Nothing else in the
 * repository knows a package name.
 */
export type ToolName =
  | 'qemu'
  | 'qemu-img'
  | 'busybox'
  | 'kernel'
  | 'etcd'
  | 'postgres'
  | 'haproxy'
  | 'chromium'
  | 'python3-grpcio'
  | 'python3-sushy'
  | 'python3-pyghmi'
  | 'ipmitool'
  | 'openipmi'
  | 'freeipmi';

/**
 * What can be run; a tool may bring several. `kernel` is a directory with boot/ and lib/modules/.
 */
export type ProgramName =
  | ToolName
  | 'initdb'
  | 'pg_ctl'
  | 'ipmi_sim'
  | 'ipmipower'
  | 'ipmi-sel'
  | 'ipmi-sensors';

export type Tool = {
  readonly purpose: string;
  /**
   * Debian and Ubuntu names in order of preference; each inner list is one package with its
   * stand-ins.
   */
  readonly packages: readonly (readonly string[])[];
  /** Names for other package managers, for the command that people are told to type. */
  readonly elsewhere: { readonly dnf: string; readonly pacman: string; readonly brew: string };
  /** Only these dependencies are unpacked. Absent: all that is not installed. */
  readonly follow?: RegExp;
};

export type HostArchitecture = 'amd64' | 'arm64';

/** Debian's name of this machine's architecture; undefined where we have no packages for it. */
export const hostArchitecture = (arch: string = process.arch): HostArchitecture | undefined => {
  if (arch === 'x64') return 'amd64';
  return arch === 'arm64' ? 'arm64' : undefined;
};

/** The folder that holds shared libraries under usr/lib. */
export const libraryTriplet = (arch: HostArchitecture): string =>
  arch === 'amd64' ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu';

export const qemuBinary = (arch: HostArchitecture): string =>
  arch === 'amd64' ? 'qemu-system-x86_64' : 'qemu-system-aarch64';

export const toolCatalog = (arch: HostArchitecture): Readonly<Record<ToolName, Tool>> => ({
  qemu: {
    purpose: 'runs virtual machines',
    packages: [[arch === 'amd64' ? 'qemu-system-x86' : 'qemu-system-arm'], ['ipxe-qemu']],
    elsewhere: {
      dnf: arch === 'amd64' ? 'qemu-system-x86-core' : 'qemu-system-aarch64-core',
      pacman: arch === 'amd64' ? 'qemu-system-x86' : 'qemu-system-aarch64',
      brew: 'qemu',
    },
  },
  'qemu-img': {
    purpose: 'makes disk images',
    packages: [['qemu-utils']],
    elsewhere: { dnf: 'qemu-img', pacman: 'qemu-img', brew: 'qemu' },
  },
  busybox: {
    purpose: 'is the user space of the lab image (statically linked)',
    packages: [['busybox-static']],
    elsewhere: { dnf: 'busybox', pacman: 'busybox', brew: '' },
  },
  kernel: {
    purpose: 'is the kernel of the lab image',
    packages: [
      [
        ...[`linux-image-cloud-${arch}`, 'linux-image-kvm', 'linux-image-virtual'],
        ...[`linux-image-${arch}`, 'linux-image-generic'],
      ],
    ],
    elsewhere: { dnf: '', pacman: '', brew: '' },
    // Through metapackages of metapackages, but not to the initramfs builder and boot loader hooks.
    follow: /^linux-(image|modules)-/,
  },
  etcd: {
    purpose: 'coordinates replicas in production',
    packages: [['etcd-server', 'etcd']],
    elsewhere: { dnf: 'etcd', pacman: 'etcd', brew: 'etcd' },
  },
  postgres: {
    purpose: 'stores records in production',
    packages: [['postgresql']],
    elsewhere: { dnf: 'postgresql-server', pacman: 'postgresql', brew: 'postgresql' },
  },
  haproxy: {
    purpose: 'balances people over replicas in production',
    packages: [['haproxy']],
    elsewhere: { dnf: 'haproxy', pacman: 'haproxy', brew: 'haproxy' },
  },
  chromium: {
    purpose: 'is the browser of the browser tests',
    packages: [['chromium']],
    elsewhere: { dnf: 'chromium', pacman: 'chromium', brew: 'chromium' },
  },
  'python3-grpcio': {
    purpose: 'is the foreign gRPC client of the tests',
    packages: [
      ...[['python3-grpcio'], ['python3-protobuf'], ['python3-grpc-tools']],
      // Ubuntu's package of the tools does not name it.
      ['python3-pkg-resources'],
    ],
    elsewhere: { dnf: 'python3-grpcio', pacman: 'python-grpcio', brew: '' },
  },
  'python3-sushy': {
    purpose: 'is the foreign Redfish client of the tests, with redfishtool',
    packages: [['python3-sushy'], ['redfishtool']],
    elsewhere: { dnf: 'python3-sushy', pacman: '', brew: '' },
  },
  'python3-pyghmi': {
    purpose: 'is a foreign IPMI client and controller of the tests',
    packages: [['python3-pyghmi']],
    elsewhere: { dnf: 'python3-pyghmi', pacman: '', brew: '' },
  },
  ipmitool: {
    purpose: 'is a foreign IPMI client of the tests',
    packages: [['ipmitool']],
    elsewhere: { dnf: 'ipmitool', pacman: 'ipmitool', brew: 'ipmitool' },
  },
  openipmi: {
    purpose: 'is the foreign IPMI controller of the tests (ipmi_sim)',
    packages: [['openipmi']],
    elsewhere: { dnf: 'OpenIPMI-lanserv', pacman: 'openipmi', brew: '' },
  },
  freeipmi: {
    purpose: 'is a second foreign IPMI client of the tests',
    packages: [['freeipmi-tools']],
    elsewhere: { dnf: 'freeipmi', pacman: 'freeipmi', brew: 'freeipmi' },
  },
});

export const TOOL_NAMES: readonly ToolName[] = [
  ...(['qemu', 'qemu-img', 'busybox', 'kernel', 'etcd', 'postgres'] as const),
  ...(['haproxy', 'chromium', 'python3-grpcio', 'python3-sushy'] as const),
  ...(['python3-pyghmi', 'ipmitool', 'openipmi', 'freeipmi'] as const),
];

export const isToolName = (text: string): text is ToolName =>
  TOOL_NAMES.some((name) => name === text);

const BROUGHT: ReadonlyMap<ProgramName, ToolName> = new Map<ProgramName, ToolName>([
  ['initdb', 'postgres'],
  ['pg_ctl', 'postgres'],
  ['ipmi_sim', 'openipmi'],
  ['ipmipower', 'freeipmi'],
  ['ipmi-sel', 'freeipmi'],
  ['ipmi-sensors', 'freeipmi'],
]);

/** Which tool brings a program. */
export const toolOf = (name: ProgramName): ToolName => {
  const tool = BROUGHT.get(name) ?? name;
  if (!isToolName(tool)) throw new Error(`No tool of the catalog brings "${name}"`);
  return tool;
};
