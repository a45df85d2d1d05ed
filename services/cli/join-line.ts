import { UsageError } from './usage-error.ts';

/** Of /agent/manifest.json, as services/agent-downloads.ts writes it. */
export type JoinManifest = {
  readonly installerSha256: string;
  readonly machineAddresses: readonly string[];
  readonly machinePort: number;
};

export type JoinFacts = {
  /** "https://host:port" of the listener for people, as the new host reaches it. */
  readonly endpoint: string;
  /** SHA-256 of the CA certificate's DER in hexadecimal. */
  readonly caFingerprint: string;
  readonly token: string;
  readonly roles: readonly string[];
  /** Empty: chosen at joining. */
  readonly agentId: string;
  /** More for the installer, for example "--foreground". */
  readonly more: readonly string[];
};

/**
 * The line that makes a host join: plain sh with curl or wget and sha256sum. It fetches the CA
 * without trusting anybody and compares it with its fingerprint; over TLS of that CA it fetches the
 * installer and compares it too; the installer knows the SHA-256 of the bundle. It runs in a
 * subshell, where the token is in nobody's arguments.
 */
export const joinLine = (facts: JoinFacts, manifest: JoinManifest): string => {
  const { endpoint, caFingerprint, token, roles, agentId, more } = facts;
  const machines = machinesOf(endpoint, manifest).flatMap((one) => ['--machine', one]);
  const id = agentId === '' ? [] : ['--id', agentId];
  const wanted = ['--endpoint', endpoint, '--roles', roles.join(','), ...machines, ...id, ...more];
  const isForeground = more.includes('--foreground');
  const sudo = isForeground ? '' : '$([ "$(id -u)" = 0 ] || echo sudo) ';
  const checks = (file: string, read: string, sha256: string) =>
    `[ "$(${read} | sha256sum | cut -c1-64)" = ${sha256} ] || ` +
    `{ echo "${file} is not the one that was meant" >&2; exit 1; }`;
  return [
    '( set -eu; umask 077; cd "$(mktemp -d)"',
    `u=${word(endpoint)}/agent`,
    'get() { if command -v curl >/dev/null 2>&1; then curl -fsS "$2" "$3" -o "$1" "$u/$1"; ' +
      'else wget -q "$4" -O "$1" "$u/$1"; fi; }',
    'get ca.pem --insecure --silent --no-check-certificate',
    checks('ca.pem', "sed '/-----/d' ca.pem | base64 -d", hexadecimal(caFingerprint)),
    'get install.sh --cacert ca.pem --ca-certificate=ca.pem',
    checks('install.sh', 'cat install.sh', hexadecimal(manifest.installerSha256)),
    `printf %s ${word(token)} >token`,
    `${sudo}sh install.sh ${wanted.map(word).join(' ')} )`,
  ].join('; ');
};

/** Agents connect past the proxy of people; where nothing else is said, at the same host. */
const machinesOf = (endpoint: string, manifest: JoinManifest): readonly string[] => {
  if (manifest.machineAddresses.length > 0) return manifest.machineAddresses;
  return [`${new URL(endpoint).hostname}:${manifest.machinePort}`];
};

const hexadecimal = (text: string): string => {
  const plain = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(plain)) return plain;
  throw new UsageError(`"${text}" is no SHA-256`);
};

/** One word of sh, quoted where it must be. */
const word = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
