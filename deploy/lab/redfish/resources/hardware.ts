import type { LabDisk, LabMemory, LabNic, LabProcessor } from '../../server-port.ts';
import type { LabContext, Route } from '../context.ts';
import { type Json, link, links } from '../message.ts';
import { CHASSIS, SYSTEM } from './paths.ts';
import { collection, HEALTHY, idOf, resource } from './shape.ts';

/** Processors, memory, storage and network interfaces of the system. */
const PROCESSORS = `${SYSTEM}/Processors`;
const MEMORY = `${SYSTEM}/Memory`;
const STORAGE = `${SYSTEM}/Storage`;
const DRIVES = `${STORAGE}/1/Drives`;
const INTERFACES = `${SYSTEM}/EthernetInterfaces`;

const processorOf = (processor: LabProcessor, path: string): Json =>
  resource('Processor', path, {
    Name: 'Processor',
    Socket: `CPU ${path.split('/').at(-1)}`,
    ProcessorType: 'CPU',
    ProcessorArchitecture: 'x86',
    InstructionSet: 'x86-64',
    Model: processor.model,
    TotalCores: processor.cores,
    TotalThreads: processor.threads,
    Status: HEALTHY,
  });

const memoryOf = (module: LabMemory, path: string): Json =>
  resource('Memory', path, {
    Name: module.label,
    Location: { PartLocation: { ServiceLabel: module.label, LocationType: 'Slot' } },
    MemoryType: 'DRAM',
    MemoryDeviceType: 'DDR5',
    CapacityMiB: Math.round(module.sizeBytes / 2 ** 20),
    Status: HEALTHY,
  });

const storageOf = ({ server }: LabContext): Json =>
  resource('Storage', `${STORAGE}/1`, {
    Name: 'Storage',
    Status: HEALTHY,
    Drives: links(server.hardware.disks.map(({ label }) => `${DRIVES}/${idOf(label)}`)),
    'Drives@odata.count': server.hardware.disks.length,
    Links: { Enclosures: links([CHASSIS]) },
  });

const driveOf = (disk: LabDisk, path: string): Json =>
  resource('Drive', path, {
    Name: disk.label,
    Model: disk.model,
    SerialNumber: disk.serialNumber,
    CapacityBytes: disk.sizeBytes,
    MediaType: disk.kind === 'hdd' ? 'HDD' : 'SSD',
    Protocol: disk.kind === 'nvme' ? 'NVMe' : 'SATA',
    Status: HEALTHY,
    Links: { Chassis: link(CHASSIS) },
  });

const interfaceOf = (nic: LabNic, path: string): Json =>
  resource('EthernetInterface', path, {
    Name: nic.label,
    MACAddress: nic.mac,
    PermanentMACAddress: nic.mac,
    SpeedMbps: nic.speedBitsPerSecond / 1_000_000,
    InterfaceEnabled: true,
    LinkStatus: 'LinkUp',
    Status: HEALTHY,
  });

const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => String(index + 1));

const byNumber = <T>(list: readonly T[], id: string): T | undefined =>
  /^[1-9]\d*$/.test(id) ? list[Number(id) - 1] : undefined;

const byLabel = <T extends { readonly label: string }>(list: readonly T[], id: string) =>
  list.find(({ label }) => idOf(label) === id);

const labels = (list: readonly { readonly label: string }[]): readonly string[] =>
  list.map(({ label }) => idOf(label));

const shown = <T>(part: T | undefined, build: (part: T) => Json): Json | undefined =>
  part === undefined ? undefined : build(part);

export const HARDWARE_ROUTES: readonly Route[] = [
  {
    path: PROCESSORS,
    get: ({ server: { hardware } }) => {
      const ids = numbered(hardware.processors.length);
      return collection('Processor', PROCESSORS, { name: 'Processors', ids });
    },
  },
  {
    path: `${PROCESSORS}/{id}`,
    get: ({ server }, { id, path }) =>
      shown(byNumber(server.hardware.processors, id), (one) => processorOf(one, path)),
  },
  {
    path: MEMORY,
    get: ({ server: { hardware } }) =>
      collection('Memory', MEMORY, { name: 'Memory', ids: labels(hardware.memory) }),
  },
  {
    path: `${MEMORY}/{id}`,
    get: ({ server }, { id, path }) =>
      shown(byLabel(server.hardware.memory, id), (one) => memoryOf(one, path)),
  },
  {
    path: STORAGE,
    get: () => collection('Storage', STORAGE, { name: 'Storage', ids: ['1'] }),
  },
  { path: `${STORAGE}/1`, get: storageOf },
  {
    path: `${DRIVES}/{id}`,
    get: ({ server }, { id, path }) =>
      shown(byLabel(server.hardware.disks, id), (one) => driveOf(one, path)),
  },
  {
    path: INTERFACES,
    get: ({ server: { hardware } }) =>
      collection('EthernetInterface', INTERFACES, {
        name: 'Network interfaces',
        ids: labels(hardware.nics),
      }),
  },
  {
    path: `${INTERFACES}/{id}`,
    get: ({ server }, { id, path }) =>
      shown(byLabel(server.hardware.nics, id), (one) => interfaceOf(one, path)),
  },
];
