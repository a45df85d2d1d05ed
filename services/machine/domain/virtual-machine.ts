/**
 * What an agent is told about a machine: whole, rendered anew from the machine whenever what is
 * wanted changes.
 */
import type { BootSource } from './boot-source.ts';
import {
  type Machine,
  machineName,
  type PortForward,
  type ReadyWhen,
  type Wanted,
} from './machine.ts';
import { cpusOf, memoryBytesOf } from './spec.ts';

export type VirtualMachine = {
  readonly name: string;
  readonly hostname: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly boot: BootSource;
  readonly readyWhen: ReadyWhen;
  readonly ports: readonly PortForward[];
  readonly wanted: Wanted;
};

export const virtualMachineOf = (machine: Machine): VirtualMachine => ({
  name: machineName(machine),
  hostname: hostnameOf(machine.machineId),
  cpus: cpusOf(machine.spec),
  memoryBytes: memoryBytesOf(machine.spec),
  diskBytes: machine.spec.diskBytes,
  boot: machine.resolved.boot,
  readyWhen: machine.resolved.readyWhen,
  ports: machine.spec.ports,
  wanted: machine.wanted,
});

/** RFC 1123: letters, digits and hyphens; a machine's id may hold dots and underscores too. */
export const hostnameOf = (machineId: string): string =>
  machineId
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
