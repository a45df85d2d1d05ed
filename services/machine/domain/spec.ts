/** What a spec's zeros mean, and what the contract's rules cannot say about it. */
import { invalidArgument } from '../../runtime/errors.ts';
import type { MachineSpec, PortForward } from './machine.ts';

const MIB = 1024 ** 2;
const CPUS = 1;
const MEMORY_BYTES = 512 * MIB;
const MEMORY_BYTES_MIN = 32 * MIB;
const BOOT_TIMEOUT_MS = 5 * 60_000;
/** An emulated processor is this much slower to boot (measured: 4 to 6 times). */
const EMULATED_FACTOR = 6;

export const cpusOf = (spec: MachineSpec): number => (spec.cpus === 0 ? CPUS : spec.cpus);

export const memoryBytesOf = (spec: MachineSpec): number =>
  spec.memoryBytes === 0 ? MEMORY_BYTES : spec.memoryBytes;

/** How long a boot may take. A timeout that the tenant chose is taken as it is. */
export const bootTimeoutMsOf = (spec: MachineSpec, emulated: boolean): number =>
  spec.bootTimeoutMs ?? BOOT_TIMEOUT_MS * (emulated ? EMULATED_FACTOR : 1);

/** Refuses what no provider could do; each error names the field and what would be right. */
export const checkSpec = (spec: MachineSpec): void => {
  if (spec.type === 'bare_metal') {
    checkMetal(spec);
    return;
  }
  const memoryBytes = memoryBytesOf(spec);
  if (memoryBytes % MIB !== 0 || memoryBytes < MEMORY_BYTES_MIN) {
    throw invalid(
      'machine.spec.memory_bytes',
      `must be a multiple of 1 MiB (${MIB}) and at least 32 MiB, but is ${memoryBytes}`,
    );
  }
  const doubled = spec.ports.find(
    (port, index) => spec.ports.findIndex((other) => samePort(port, other)) !== index,
  );
  if (doubled !== undefined) {
    throw invalid(
      'machine.spec.ports',
      `${doubled.protocol} port ${doubled.guestPort} of the guest is forwarded twice`,
    );
  }
};

/** A server is taken as it is: what it boots is on its disks or on the network. */
const checkMetal = (spec: MachineSpec): void => {
  const whole = 'a server is taken whole, as it is; leave it out';
  if (spec.cpus !== 0) throw invalid('machine.spec.cpus', whole);
  if (spec.memoryBytes !== 0) throw invalid('machine.spec.memory_bytes', whole);
  if (spec.diskBytes !== 0) throw invalid('machine.spec.disk_bytes', whole);
  if (spec.ports.length > 0) {
    throw invalid('machine.spec.ports', 'nothing forwards ports to a server; reach it by its own');
  }
  if (spec.boot?.kind === 'image' || spec.boot?.kind === 'media') {
    const why = 'a server boots from its disks or the network; images are for virtual machines';
    throw invalid('machine.spec.boot', why);
  }
  const ready = spec.readyWhen?.kind ?? 'running';
  if (ready !== 'running' && ready !== 'console_text') {
    const why =
      'of a server only its power and its console are watched; use running or console_text';
    throw invalid('machine.spec.ready_when', why);
  }
};

const samePort = (a: PortForward, b: PortForward): boolean =>
  a.protocol === b.protocol && a.guestPort === b.guestPort;

const invalid = (field: string, description: string) =>
  invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
