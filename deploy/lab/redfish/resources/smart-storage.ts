import type { LabDisk } from '../../server-port.ts';
import type { LabContext, Route } from '../context.ts';
import { type Json, link, links } from '../message.ts';
import { SYSTEM } from './paths.ts';
import { idOf } from './shape.ts';

/** Disks as array controllers of HPE show them, in a tree of the make's own. */
const STORAGE = `${SYSTEM}/SmartStorage`;
const CONTROLLERS = `${STORAGE}/ArrayControllers`;
const CONTROLLER = `${CONTROLLERS}/0`;
const DRIVES = `${CONTROLLER}/DiskDrives`;
const BLOCK_BYTES = 512;

export const SMART_STORAGE: Json = { Oem: { Hp: { Links: { SmartStorage: link(STORAGE) } } } };

/** As iLO 5 calls them. */
const typed = (type: string, path: string, rest: Json): Json => ({
  '@odata.id': path,
  '@odata.type': `#${type}.${type.split('.')[0]}`,
  ...rest,
});

const collectionOf = (type: string, path: string, paths: readonly string[]): Json =>
  typed(type, path, {
    Name: path.split('/').at(-1) ?? '',
    Members: links(paths),
    'Members@odata.count': paths.length,
  });

const resourceOf = (type: string, path: string, rest: Json): Json =>
  typed(type, path, { Id: path.split('/').at(-1) ?? '', Name: type.split('.')[0], ...rest });

const driveOf = (disk: LabDisk, path: string): Json =>
  resourceOf('HpeSmartStorageDiskDrive.v2_1_0', path, {
    Location: disk.label,
    Model: disk.model,
    SerialNumber: disk.serialNumber,
    CapacityMiB: Math.floor(disk.sizeBytes / 2 ** 20),
    CapacityLogicalBlocks: disk.sizeBytes / BLOCK_BYTES,
    BlockSizeBytes: BLOCK_BYTES,
    MediaType: disk.kind === 'hdd' ? 'HDD' : 'SSD',
    InterfaceType: disk.kind === 'nvme' ? 'NVME' : 'SAS',
    Status: { State: 'Enabled', Health: 'OK' },
  });

const shown =
  (build: (context: LabContext) => Json) =>
  (context: LabContext): Json | undefined =>
    context.personality.disksAt === 'smart-storage' ? build(context) : undefined;

const pathsOf = ({ server }: LabContext): readonly string[] =>
  server.hardware.disks.map(({ label }) => `${DRIVES}/${idOf(label)}`);

export const SMART_STORAGE_ROUTES: readonly Route[] = [
  {
    path: STORAGE,
    get: shown(() =>
      resourceOf('HpeSmartStorage.v2_0_0', STORAGE, {
        Links: { ArrayControllers: link(CONTROLLERS) },
      }),
    ),
  },
  {
    path: CONTROLLERS,
    get: shown(() =>
      collectionOf('HpeSmartStorageArrayControllerCollection', CONTROLLERS, [CONTROLLER]),
    ),
  },
  {
    path: CONTROLLER,
    get: shown(() =>
      resourceOf('HpeSmartStorageArrayController.v2_2_0', CONTROLLER, {
        Links: { PhysicalDrives: link(DRIVES) },
      }),
    ),
  },
  {
    path: DRIVES,
    get: shown((context) =>
      collectionOf('HpeSmartStorageDiskDriveCollection', DRIVES, pathsOf(context)),
    ),
  },
  {
    path: `${DRIVES}/{id}`,
    get: ({ server, personality }, { id, path }) => {
      const disk = server.hardware.disks.find(({ label }) => idOf(label) === id);
      const isShown = personality.disksAt === 'smart-storage' && disk !== undefined;
      return isShown ? driveOf(disk, path) : undefined;
    },
  },
];
