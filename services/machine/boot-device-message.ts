/** Boot devices of the contract as the domain knows them, and back. */
import { create } from '@bufbuild/protobuf';
import {
  type BootDevice as BootDeviceMessage,
  BootDeviceSchema,
  BootDeviceType,
  BootMode,
} from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import type { BootDevice, Machine } from './domain/machine.ts';

const TYPES: Readonly<Record<BootDevice['type'], BootDeviceType>> = {
  none: BootDeviceType.NONE,
  network: BootDeviceType.NETWORK,
  disk: BootDeviceType.DISK,
  cdrom: BootDeviceType.CDROM,
  setup: BootDeviceType.SETUP,
};

const MODES: Readonly<Record<BootDevice['mode'], BootMode>> = {
  as_set_up: BootMode.UNSPECIFIED,
  uefi: BootMode.UEFI,
  legacy: BootMode.LEGACY,
};

const keyOf = <K extends string, V>(table: Readonly<Record<K, V>>, value: V): K | undefined =>
  (Object.keys(table) as K[]).find((key) => table[key] === value);

export const bootDeviceMessage = ({ type, persistent, mode }: BootDevice): BootDeviceMessage =>
  create(BootDeviceSchema, { type: TYPES[type], persistent, mode: MODES[mode] });

/** Undefined: as the firmware is set up. */
export const bootDeviceOf = (message: BootDeviceMessage | undefined): BootDevice | undefined => {
  const type = message === undefined ? undefined : keyOf(TYPES, message.type);
  if (message === undefined || type === undefined || type === 'none') return undefined;
  const { persistent, mode } = message;
  return { type, persistent, mode: keyOf(MODES, mode) ?? 'as_set_up' };
};

/** From what a server boots: what was set, else what its spec says. */
export const serverBootDevice = ({ wanted, spec }: Machine): BootDevice | undefined =>
  wanted.bootDevice ??
  (spec.boot?.kind === 'network'
    ? { type: 'network', persistent: false, mode: 'as_set_up' }
    : undefined);
