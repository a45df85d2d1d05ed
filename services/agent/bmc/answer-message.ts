import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  DiskType,
  type Facts,
  FactsSchema,
  NicType,
} from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type BiosAttribute,
  BiosAttributeSchema,
  type BootDevice,
  BootDeviceSchema,
  BootDeviceType,
  BootMode,
  type HardwareLogEntry,
  HardwareLogEntrySchema,
  Health,
  PowerChange,
  type Sensor,
  SensorSchema,
} from '../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import type * as port from '../bmc-port.ts';

/** The contract's words for what drivers say, cut to what the contract allows. */
const POWER: Readonly<Record<port.PowerReading, PowerState>> = {
  on: PowerState.ON,
  off: PowerState.OFF,
  turning_on: PowerState.UNKNOWN,
  turning_off: PowerState.UNKNOWN,
  unknown: PowerState.UNKNOWN,
};

export const powerState = (reading: port.PowerReading): PowerState => POWER[reading];

const CHANGES: Readonly<Record<number, port.PowerChange>> = {
  [PowerChange.ON]: 'on',
  [PowerChange.OFF]: 'off',
  [PowerChange.SOFT_OFF]: 'soft_off',
  [PowerChange.RESET]: 'reset',
  [PowerChange.CYCLE]: 'cycle',
};

export const powerChange = (change: PowerChange): port.PowerChange => {
  const found = CHANGES[change];
  if (found !== undefined) return found;
  throw invalidArgument('INVALID_FIELD', `change: ${change} is unknown to this agent`);
};

const DEVICES: readonly (readonly [BootDeviceType, port.BootDevice])[] = [
  [BootDeviceType.NONE, 'none'],
  [BootDeviceType.NETWORK, 'network'],
  [BootDeviceType.DISK, 'disk'],
  [BootDeviceType.CDROM, 'cdrom'],
  [BootDeviceType.SETUP, 'setup'],
];

export const bootChoice = (device: BootDevice | undefined): port.BootChoice => {
  const found = DEVICES.find(([type]) => type === device?.type);
  if (device === undefined || found === undefined) {
    throw invalidArgument('INVALID_FIELD', `device: ${device?.type} is unknown to this agent`);
  }
  const { persistent, mode } = device;
  return {
    device: found[1],
    persistent,
    ...(mode === BootMode.UEFI ? { mode: 'uefi' as const } : {}),
    ...(mode === BootMode.LEGACY ? { mode: 'legacy' as const } : {}),
  };
};

const MODES = { uefi: BootMode.UEFI, legacy: BootMode.LEGACY } as const;

export const bootDevice = (choice: port.BootChoice): BootDevice =>
  create(BootDeviceSchema, {
    type: DEVICES.find(([, device]) => device === choice.device)?.[0] ?? BootDeviceType.NONE,
    persistent: choice.persistent,
    mode: choice.mode === undefined ? BootMode.UNSPECIFIED : MODES[choice.mode],
  });

const HEALTH: Readonly<Record<port.SensorReading['health'], Health>> = {
  ok: Health.OK,
  warning: Health.WARNING,
  critical: Health.CRITICAL,
  unknown: Health.UNSPECIFIED,
};

const SENSORS_MAX = 1_000;
const UNIT_MAX = 32;

export const sensorMessages = (sensors: readonly port.SensorReading[]): Sensor[] =>
  sensors.slice(0, SENSORS_MAX).map(({ name, kind, value, unit, health }) =>
    create(SensorSchema, {
      label: name.slice(0, 128),
      type: kind,
      ...(value === undefined ? {} : { value }),
      unit: unit.slice(0, UNIT_MAX),
      health: HEALTH[health],
    }),
  );

export const logMessages = (entries: readonly port.LogEntry[]): HardwareLogEntry[] =>
  entries.map(({ id, at, severity, message }) =>
    create(HardwareLogEntrySchema, {
      id: id.slice(0, 128),
      ...(at === undefined || !isTold(at) ? {} : { time: timestampFromDate(at) }),
      severity: HEALTH[severity],
      message: message.slice(0, 2048),
    }),
  );

/** What a timestamp can say; clocks of controllers show any year. */
const isTold = (at: Date): boolean =>
  at.getTime() >= Date.UTC(1970, 0) && at.getTime() < Date.UTC(10_000, 0);

const URL_MAX = 2_048;

/** Without a user and a password, which an earlier hand may have put there. */
export const mediaUrl = (url: string | undefined): string =>
  (url ?? '').replace(/^([a-z]+:\/\/)[^/]*@/i, '$1').slice(0, URL_MAX);

type BiosValue = string | number | boolean;

const BIOS_MAX = 4_096;
const BIOS_NAME_MAX = 256;
const BIOS_TEXT_MAX = 1_024;

export const biosMessages = (attributes: ReadonlyMap<string, BiosValue>): BiosAttribute[] =>
  [...attributes]
    .filter(([name]) => name !== '' && name.length <= BIOS_NAME_MAX)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, BIOS_MAX)
    .map(([name, value]) => create(BiosAttributeSchema, { name, value: biosValue(value) }));

const biosValue = (value: BiosValue): BiosAttribute['value'] => {
  if (typeof value === 'boolean') return { case: 'flag', value };
  if (typeof value === 'number') return { case: 'number', value };
  return { case: 'text', value: value.slice(0, BIOS_TEXT_MAX) };
};

export const biosValues = (attributes: readonly BiosAttribute[]): ReadonlyMap<string, BiosValue> =>
  new Map(attributes.map(({ name, value }) => [name, value.value ?? '']));

const DISKS: Readonly<Record<port.DiskFact['kind'], DiskType>> = {
  hdd: DiskType.HDD,
  ssd: DiskType.SSD,
  nvme: DiskType.NVME,
  unknown: DiskType.UNSPECIFIED,
};

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
const TEXT_MAX = 128;

/** A controller may say anything; what the contract does not allow would lose the whole report. */
export const factsMessage = (facts: port.HardwareFacts): Facts =>
  create(FactsSchema, {
    serialNumber: cut(facts.serialNumber),
    smbiosUuid: facts.smbiosUuid.slice(0, 64),
    vendor: cut(facts.vendor),
    model: cut(facts.model),
    architecture: facts.architecture.slice(0, 32),
    cpuThreads: whole(facts.cpuThreads, COUNT_MAX),
    memoryBytes: BigInt(whole(facts.memoryBytes)),
    cpuModel: cut(facts.cpuModel),
    cpuSockets: whole(facts.cpuSockets, COUNT_MAX),
    disks: facts.disks.slice(0, 256).map((disk) => ({
      label: cut(disk.label),
      model: cut(disk.model),
      serialNumber: cut(disk.serialNumber),
      sizeBytes: BigInt(whole(disk.sizeBytes)),
      type: DISKS[disk.kind],
    })),
    nics: facts.nics.slice(0, 64).map((nic, index) => ({
      label: cut(nic.label) || `nic${index}`,
      mac: MAC.test(nic.mac) ? nic.mac : '',
      type: nic.bmc ? NicType.BMC : NicType.PHYSICAL,
      speedBitsPerSecond: BigInt(whole(nic.speedBitsPerSecond)),
    })),
    firmware: facts.firmware.slice(0, 256).map(({ component, version }) => ({
      component: cut(component),
      version: cut(version),
    })),
  });

const cut = (text: string): string => text.slice(0, TEXT_MAX);

const COUNT_MAX = 2 ** 31 - 1;

/** 0, unknown, for what cannot be. */
const whole = (amount: number, most: number = Number.MAX_SAFE_INTEGER): number =>
  amount > 0 && amount <= most ? Math.round(amount) : 0;
