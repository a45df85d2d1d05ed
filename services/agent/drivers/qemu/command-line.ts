/**
 * A guest as an argument list for qemu: pure and deterministic, so that golden tests can hold it
 * and a reader can start the same guest by hand. The list is readable by everyone on the host and
 * so carries no secret.
 */
import { type GuestSpec, MEBIBYTE, type NicSpec, ROOT_DISK } from './guest-spec.ts';
import type { PortForward } from './port-allocator.ts';

export type Acceleration = {
  readonly accelerator: 'kvm' | 'tcg';
  /** Whether this qemu can confine itself by seccomp. */
  readonly sandbox: boolean;
};

export type GuestFiles = {
  readonly pidFile: string;
  readonly qmpSocket: string;
  readonly serialSocket: string;
  readonly serialLog: string;
  /** The initrd with the boot token appended; null when the guest boots without one. */
  readonly initrd: string | null;
  /** Disks of the guest by name, qcow2. */
  readonly disk: (name: string) => string;
};

export type CommandLineInput = {
  readonly guest: GuestSpec;
  readonly acceleration: Acceleration;
  readonly files: GuestFiles;
  /** In the order of the guest's nics and their forwards; see forwardsOf in port-allocator.ts. */
  readonly forwards: readonly PortForward[];
};

/** The arguments after the program's own. */
export const renderCommandLine = (input: CommandLineInput): string[] => [
  ...machineArguments(input),
  ...controlArguments(input.files),
  ...bootArguments(input),
  ...diskArguments(input),
  ...input.guest.nics.flatMap((nic, index) => nicArguments(input, nic, index)),
];

// Emulated code is cached; qemu's default may grow to 1 GiB per guest, which a small guest never
// gains from.
const TCG_CACHE_MIB = 128;

const machineArguments = ({ guest, acceleration }: CommandLineInput): string[] => {
  // Without a display, this is what makes firmware and boot loaders write to the serial port.
  const firmwareOnSerial = guest.boot.kind === 'kernel' ? '' : ',graphics=off';
  const tcg = acceleration.accelerator === 'tcg';
  return [
    ...['-name', `guest=${guest.name}`, '-uuid', guest.uuid],
    ...['-no-user-config', '-nodefaults', '-display', 'none'],
    ...['-machine', `${guest.machine}${firmwareOnSerial}`],
    ...['-accel', tcg ? `tcg,tb-size=${TCG_CACHE_MIB}` : 'kvm', '-cpu', tcg ? 'max' : 'host'],
    ...['-smp', `cpus=${guest.cpus}`, '-m', `size=${guest.memoryBytes / MEBIBYTE}M`],
    ...['-rtc', 'base=utc'],
    ...(acceleration.sandbox
      ? ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny']
      : []),
  ];
};

const controlArguments = (files: GuestFiles): string[] => [
  // A reset ends the process: each boot is a fresh one with a fresh token.
  ...['-action', 'reboot=shutdown'],
  ...['-pidfile', files.pidFile],
  ...['-chardev', `socket,id=qmp,path=${escaped(files.qmpSocket)},server=on,wait=off`],
  ...['-mon', 'chardev=qmp,mode=control'],
  '-chardev',
  `socket,id=serial,path=${escaped(files.serialSocket)},server=on,wait=off,` +
    `logfile=${escaped(files.serialLog)},logappend=on`,
  ...['-serial', 'chardev:serial'],
];

const bootArguments = ({ guest, files }: CommandLineInput): string[] => {
  const { boot } = guest;
  switch (boot.kind) {
    case 'kernel':
      return [
        ...['-kernel', boot.kernelPath],
        ...(files.initrd === null ? [] : ['-initrd', files.initrd]),
        ...['-append', boot.commandLine],
      ];
    case 'media':
      return [
        ...['-boot', 'strict=on', '-blockdev'],
        `driver=file,node-name=media,read-only=on,filename=${escaped(boot.isoPath)}`,
        ...['-device', 'ide-cd,drive=media,bootindex=1'],
      ];
    case 'image':
    case 'network':
    case 'none':
      return ['-boot', 'strict=on'];
  }
};

const diskArguments = ({ guest, files }: CommandLineInput): string[] => {
  const fromImage = guest.boot.kind === 'image';
  const names = [...(fromImage ? [ROOT_DISK] : []), ...guest.disks.map(({ name }) => name)];
  return names.flatMap((name) => {
    const boots = fromImage && name === ROOT_DISK ? ',bootindex=1' : '';
    return [
      '-blockdev',
      `driver=file,node-name=file-${name},discard=unmap,filename=${escaped(files.disk(name))}`,
      '-blockdev',
      `driver=qcow2,node-name=disk-${name},discard=unmap,file=file-${name}`,
      '-device',
      `virtio-blk-pci,drive=disk-${name},serial=${name}${boots}`,
    ];
  });
};

const nicArguments = (input: CommandLineInput, nic: NicSpec, index: number): string[] => {
  const forwards = input.forwards
    .filter((forward) => forward.nic === index)
    .map((one) => `,hostfwd=${one.protocol}:${one.hostAddress}:${one.hostPort}-:${one.guestPort}`);
  // The network boot program is left out where it is not used: it only costs time.
  const boot = input.guest.boot.kind === 'network' ? `bootindex=${index + 1}` : 'romfile=';
  return [
    ...['-netdev', `user,id=nic${index}${forwards.join('')}`],
    ...['-device', `virtio-net-pci,netdev=nic${index},mac=${nic.mac},${boot}`],
  ];
};

// In qemu's option lists a comma inside a value is written twice.
const escaped = (value: string): string => value.replaceAll(',', ',,');
