import { invalidArgument } from '../runtime/errors.ts';

/** How an agent is to run under systemd. */
export type UnitOptions = {
  readonly roles: readonly string[];
  /** Folder of the bundle, with bin/node and main.mjs. */
  readonly program: string;
  readonly configFile: string;
};

type Needs = {
  /** Of capabilities(7). */
  readonly capabilities: readonly string[];
  readonly groups: readonly string[];
  readonly devices: readonly string[];
  readonly lines: readonly string[];
};

/**
 * What each role needs beyond a user without rights. bmc only dials out; vm runs qemu, which opens
 * /dev/kvm where it may, and whose guests go on when the agent stops.
 */
const NEEDS: Readonly<Record<string, Needs>> = {
  bmc: { capabilities: [], groups: [], devices: [], lines: [] },
  vm: {
    capabilities: [],
    groups: ['-kvm'],
    devices: ['/dev/kvm rw'],
    lines: ['KillMode=process', 'RuntimeDirectoryPreserve=yes'],
  },
};

const USER = 'runmachine-agent';

/**
 * How Node runs an agent. V8 trades memory for time while there is memory: an agent that enrols ten
 * thousand servers has 70 MB of objects and held 480 MB. install.sh says the same for the
 * foreground.
 */
export const AGENT_NODE_FLAGS = ['--max-semi-space-size=4', '--heap-growing-percent=50'] as const;

const commandLine = (program: string, configFile: string): string =>
  [
    ...[`${program}/bin/node`, ...AGENT_NODE_FLAGS],
    ...[`${program}/main.mjs`, 'agent', '--config', configFile],
  ].join(' ');

/**
 * The unit's text: a user of its own, only the capabilities that its roles need, and of the file
 * system only its state. Errors: invalid_argument INVALID_FIELD for a role that is not known, or a
 * path that a unit cannot name.
 */
export const systemdUnit = ({ roles, program, configFile }: UnitOptions): string => {
  const needs = roles.map(needsOf);
  const all = (of: (one: Needs) => readonly string[]) => [...new Set(needs.flatMap(of))].toSorted();
  const capabilities = all((one) => one.capabilities).join(' ');
  const devices = all((one) => one.devices);
  const groups = all((one) => one.groups).map((name) => name.replace(/^-/, ''));
  return [
    '[Unit]',
    `Description=runmachine agent (${[...new Set(roles)].toSorted().join(', ')})`,
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${commandLine(path(program), path(configFile))}`,
    'Restart=always',
    'RestartSec=2',
    'TimeoutStopSec=60',
    `User=${USER}`,
    ...groups.map((name) => `SupplementaryGroups=${name}`),
    'StateDirectory=runmachine-agent',
    'StateDirectoryMode=0700',
    'RuntimeDirectory=runmachine-agent',
    'RuntimeDirectoryMode=0700',
    ...all((one) => one.lines),
    'LimitNOFILE=65536',
    `CapabilityBoundingSet=${capabilities}`,
    `AmbientCapabilities=${capabilities}`,
    ...SANDBOX,
    ...(devices.length === 0 ? ['PrivateDevices=yes'] : ['DevicePolicy=closed']),
    ...devices.map((device) => `DeviceAllow=${device}`),
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ].join('\n');
};

/** Holds for each role. MemoryDenyWriteExecute is left out: V8 writes the code that it runs. */
const SANDBOX = [
  'NoNewPrivileges=yes',
  'ProtectSystem=strict',
  'ProtectHome=yes',
  'PrivateTmp=yes',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'LockPersonality=yes',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  'SystemCallArchitectures=native',
  'UMask=0077',
] as const;

const needsOf = (role: string): Needs => {
  const found = Object.hasOwn(NEEDS, role) ? NEEDS[role] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(NEEDS).join(', ');
  throw invalidArgument('INVALID_FIELD', `roles: "${role}" is none of ${known}`, {
    metadata: { field: 'roles' },
  });
};

/** systemd reads blanks, quotes, "%" and "$" in its own way (systemd.service(5), Command lines). */
const path = (text: string): string => {
  if (/^\/[\w./@:+,=-]*$/.test(text)) return text;
  throw invalidArgument('INVALID_FIELD', `"${text}" is no absolute path that a unit can name`);
};
