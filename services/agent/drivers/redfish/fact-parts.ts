import type { DiskFact, FirmwareFact, NicFact } from '../../bmc-port.ts';
import { at, listAt, numberAt, type Resource, textAt } from './resource.ts';

/** One resource of the inventory → one fact. Pure. */

export const diskOf = (drive: Resource): DiskFact => ({
  label: textAt(drive, 'Name') || textAt(drive, 'Id'),
  model: textAt(drive, 'Model'),
  serialNumber: textAt(drive, 'SerialNumber'),
  sizeBytes: numberAt(drive, 'CapacityBytes') ?? 0,
  kind: diskKindOf(drive),
});

const diskKindOf = (drive: Resource): DiskFact['kind'] => {
  if (textAt(drive, 'Protocol') === 'NVMe') return 'nvme';
  const media = textAt(drive, 'MediaType');
  if (media === 'SSD') return 'ssd';
  return media === 'HDD' ? 'hdd' : 'unknown';
};

const MEBIBYTE = 2 ** 20;

/** HpeSmartStorageDiskDrive; its size is rounded everywhere but in blocks. */
export const diskOfSmartStorage = (drive: Resource): DiskFact => {
  const [blocks, blockBytes] = [
    numberAt(drive, 'CapacityLogicalBlocks'),
    numberAt(drive, 'BlockSizeBytes'),
  ];
  const rounded = (numberAt(drive, 'CapacityMiB') ?? 0) * MEBIBYTE;
  const isNvme = /^nvme$/i.test(textAt(drive, 'InterfaceType'));
  return {
    label: textAt(drive, 'Location') || textAt(drive, 'Id'),
    model: textAt(drive, 'Model'),
    serialNumber: textAt(drive, 'SerialNumber'),
    sizeBytes: blocks === undefined || blockBytes === undefined ? rounded : blocks * blockBytes,
    kind: isNvme ? 'nvme' : diskKindOf(drive),
  };
};

/** SimpleStorage knows a name, a model and a size (DSP0268, SimpleStorage). */
export const disksOfSimple = (storage: Resource): readonly DiskFact[] =>
  listAt(storage, 'Devices')
    .filter((device) => textAt(device, 'Status', 'State') !== 'Absent')
    .map((device) => ({
      label: textAt(device, 'Name'),
      model: textAt(device, 'Model'),
      serialNumber: '',
      sizeBytes: numberAt(device, 'CapacityBytes') ?? 0,
      kind: 'unknown',
    }));

const MEGABIT = 1_000_000;

export const nicOf =
  (bmc: boolean) =>
  (part: Resource): NicFact => ({
    label: textAt(part, 'Name') || textAt(part, 'Id'),
    mac: macOf(part),
    speedBitsPerSecond: Math.max(0, numberAt(part, 'SpeedMbps') ?? 0) * MEGABIT,
    bmc,
  });

/** Lower case with colons; empty where there is none, or none but zeros. */
export const macOf = (part: Resource): string => {
  const ethernet = at(part, 'Ethernet');
  const found =
    textAt(part, 'PermanentMACAddress') ||
    textAt(part, 'MACAddress') ||
    textAt(ethernet, 'PermanentMACAddress') ||
    textAt(ethernet, 'MACAddress');
  const hex = found.toLowerCase().replaceAll(/[:.-]/g, '');
  if (!/^[0-9a-f]{12}$/.test(hex) || /^(?:0+|f+)$/.test(hex)) return '';
  return hex.match(/../g)?.join(':') ?? '';
};

export const firmwareOf = (item: Resource): FirmwareFact => ({
  component: textAt(item, 'Name') || textAt(item, 'Id'),
  version: textAt(item, 'Version'),
});
