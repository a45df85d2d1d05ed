/** What a guest is made of, and the digest that tells whether two descriptions are the same. */
import { createHash } from 'node:crypto';
import { type FieldViolation, invalidArgument } from '../../../runtime/errors.ts';

export type BootSource =
  | {
      readonly kind: 'kernel';
      readonly kernelPath: string;
      /** Null: none but the one that carries the boot token. */
      readonly initrdPath: string | null;
      /** Anyone on the host can read it in the process list: no secrets. */
      readonly commandLine: string;
    }
  /** A disk of the guest's own, made once as an overlay on the image, which is never written. */
  | {
      readonly kind: 'image';
      readonly path: string;
      readonly format: 'qcow2' | 'raw';
      /** Null: as large as the image. */
      readonly sizeBytes: number | null;
    }
  | { readonly kind: 'media'; readonly isoPath: string }
  | { readonly kind: 'network' }
  | { readonly kind: 'none' };

export type DiskSpec = {
  /** Names the file and the serial number the guest sees; `root` belongs to boot source image. */
  readonly name: string;
  readonly sizeBytes: number;
};

export type ForwardSpec = {
  readonly protocol: 'tcp' | 'udp';
  /** Of this host, for example 127.0.0.1. */
  readonly hostAddress: string;
  readonly guestPort: number;
  /** Null: one is chosen and kept for the life of the guest. */
  readonly hostPort: number | null;
};

/** User-mode network: the guest is 10.0.2.15, the host's loopback is 10.0.2.2. */
export type NicSpec = {
  readonly mac: string;
  readonly forwards: readonly ForwardSpec[];
};

export type GuestSpec = {
  /** Unique on this host; names the guest's directory. */
  readonly name: string;
  readonly uuid: string;
  readonly machine: 'q35' | 'pc';
  readonly cpus: number;
  /** A multiple of 1 MiB. */
  readonly memoryBytes: number;
  readonly boot: BootSource;
  readonly disks: readonly DiskSpec[];
  readonly nics: readonly NicSpec[];
};

/** One start of a guest. A reset is a new boot, with a process and a token of its own. */
export type Boot = {
  /** Tells boots apart; another one for each. */
  readonly counter: number;
  /**
   * What the guest proves itself with; null for none. Reaches it in memory, and only with boot
   * source kernel.
   */
  readonly token: string | null;
};

export const MEBIBYTE = 1024 * 1024;
export const ROOT_DISK = 'root';

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const DISK_NAME = /^[a-z0-9][a-z0-9-]{0,19}$/;

/** Throws invalid_argument GUEST_NAME_INVALID for what cannot safely be a directory's name. */
export const assertGuestName = (name: string): void => {
  if (NAME.test(name)) return;
  throw invalidArgument(
    'GUEST_NAME_INVALID',
    `Cannot use guest name "${name}": expected 1 to 63 of a-z, 0-9 and "-", not at the ends`,
    { metadata: { name } },
  );
};

/** Throws invalid_argument GUEST_SPEC_INVALID with one violation per wrong field. */
export const checkGuestSpec = (spec: GuestSpec): void => {
  assertGuestName(spec.name);
  const violations = violationsOf(spec);
  if (violations.length === 0) return;
  const what = violations.map(({ field, description }) => `${field} ${description}`).join('; ');
  throw invalidArgument('GUEST_SPEC_INVALID', `Cannot use guest "${spec.name}": ${what}`, {
    metadata: { name: spec.name },
    violations,
  });
};

/** Equal for equal specs, whatever the order of their keys. */
export const digestOfSpec = (spec: GuestSpec): string =>
  createHash('sha256').update(canonicalJson(spec)).digest('hex');

const violationsOf = (spec: GuestSpec): FieldViolation[] => {
  const violations: FieldViolation[] = [];
  const expect = (holds: boolean, field: string, description: string): void => {
    if (!holds) violations.push({ field, description });
  };
  const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;
  expect(UUID.test(spec.uuid), 'uuid', 'has to be a lower-case UUID');
  expect(Number.isInteger(spec.cpus) && spec.cpus >= 1, 'cpus', 'has to be 1 or more');
  expect(
    spec.memoryBytes >= 16 * MEBIBYTE && spec.memoryBytes % MEBIBYTE === 0,
    'memoryBytes',
    'has to be a multiple of 1 MiB, 16 MiB or more',
  );
  const names = new Set(spec.boot.kind === 'image' ? [ROOT_DISK] : []);
  for (const [index, disk] of spec.disks.entries()) {
    const field = `disks[${index}]`;
    expect(DISK_NAME.test(disk.name), `${field}.name`, 'has to be 1 to 20 of a-z, 0-9 and "-"');
    expect(!names.has(disk.name), `${field}.name`, `"${disk.name}" is used twice`);
    expect(disk.sizeBytes > 0, `${field}.sizeBytes`, 'has to be more than 0');
    names.add(disk.name);
  }
  for (const [index, nic] of spec.nics.entries()) {
    expect(MAC.test(nic.mac), `nics[${index}].mac`, 'has to look like 52:54:00:12:34:56');
    for (const { guestPort, hostPort } of nic.forwards) {
      expect(isPort(guestPort), `nics[${index}].forwards`, 'need guest ports of 1 to 65535');
      expect(hostPort === null || isPort(hostPort), `nics[${index}].forwards`, 'host port wrong');
    }
  }
  return violations;
};

const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
