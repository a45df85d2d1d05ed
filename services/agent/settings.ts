import { choice, durationMs, integer, list, text } from '../runtime/config-settings.ts';

const PORT = { min: 1, max: 65_535 } as const;

/** Configuration of an agent's process; every key may be set by RUNM_<PATH> in the environment. */
export const AGENT_SETTINGS = {
  agentId: text('Name of this agent in its partition. Empty: the join token says it.', ''),
  roles: list('What it does here: vm (guests on this host), bmc (management controllers).', ['vm']),
  stateDir: text('Journal, certificate, fetched files and guests lie here.', ''),
  runtimeDir: text('Short directory for sockets, private to this user, emptied at boot.', ''),
  endpoint: text('https://host:port for people, where the agent joins and renews.', ''),
  caFile: text('CA of the installation, PEM. Empty: ca_fingerprint says it.', ''),
  caFingerprint: text('SHA-256 of the CA certificate, as the join token shows it.', ''),
  joinTokenFile: text(
    'File (mode 0600) with the one-time join token: for the first start, or after a revocation.',
    '',
  ),
  machineAddresses: list('host:port of the mTLS listener of every replica of machine.', []),
  phoneHome: {
    address: text('Address that guests post to when they have booted.', '127.0.0.1'),
    port: integer('Port of it.', 7445, PORT),
    gateway: text('This host as a guest sees it.', '10.0.2.2'),
  },
  guestPorts: {
    first: integer('First host port for what is forwarded to guests.', 20_000, PORT),
    last: integer('Last one.', 29_999, PORT),
  },
  qemu: {
    program: text('Name in PATH, or path.', defaultQemu()),
    imageProgram: text('Name in PATH, or path.', 'qemu-img'),
    trialKernel: text(
      'A kernel of the guests’ architecture, booted once to find out whether KVM works. ' +
        'Empty: the newest in /boot.',
      '',
    ),
  },
  stopGuestsWithin: durationMs(
    'How long guests have to power off when the agent is stopped. 0s: they go on without it.',
    '0s',
  ),
  log: {
    level: choice('Least level that is logged.', 'info', [
      ...(['trace', 'debug', 'info', 'warn', 'error'] as const),
    ]),
    file: text('File to log to, rotated by size. Empty: standard output.', ''),
  },
};

function defaultQemu(): string {
  return process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
}
