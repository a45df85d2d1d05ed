/** Boot devices as people type and read them. */
import {
  type BootDevice,
  BootDeviceType,
  BootMode,
} from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import type { Args, Option } from './command.ts';
import { UsageError } from './usage-error.ts';

const TYPES: Readonly<Record<string, BootDeviceType>> = {
  none: BootDeviceType.NONE,
  network: BootDeviceType.NETWORK,
  disk: BootDeviceType.DISK,
  cdrom: BootDeviceType.CDROM,
  setup: BootDeviceType.SETUP,
};

const MODES: Readonly<Record<string, BootMode>> = { uefi: BootMode.UEFI, legacy: BootMode.LEGACY };

export const DEVICE = {
  name: 'device',
  help: 'none, network, disk, cdrom or setup',
  choices: Object.keys(TYPES),
};

export const DEVICE_OPTIONS: Readonly<Record<string, Option>> = {
  persistent: { type: 'boolean', help: 'for every boot; without it only for the next one' },
  mode: {
    type: 'string',
    value: 'MODE',
    help: 'uefi or legacy (as its firmware is set up)',
    choices: Object.keys(MODES),
  },
};

export const parseDevice = (word: string, args: Args) => {
  const type = TYPES[word];
  if (type === undefined) throw new UsageError(`"${word}" is no boot device`, DEVICE.help);
  const asMode = args.string('mode');
  const mode = asMode === undefined ? BootMode.UNSPECIFIED : MODES[asMode];
  if (mode === undefined) throw new UsageError(`--mode: "${asMode}" is unknown`, 'uefi or legacy');
  return { type, persistent: args.flag('persistent'), mode };
};

const wordOf = <V>(table: Readonly<Record<string, V>>, value: V): string | undefined =>
  Object.keys(table).find((key) => table[key] === value);

export const deviceText = (device: BootDevice | undefined): string => {
  const word = wordOf(TYPES, device?.type ?? BootDeviceType.NONE) ?? 'something unknown';
  if (device === undefined || word === 'none') return 'as its firmware is set up';
  const mode = wordOf(MODES, device.mode);
  const how = device.persistent ? 'every time' : 'next time only';
  return `${word}${mode === undefined ? '' : ` (${mode})`}, ${how}`;
};
