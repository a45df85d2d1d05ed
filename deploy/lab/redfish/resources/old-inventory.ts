import type { LabNic } from '../../server-port.ts';
import type { LabContext, Route } from '../context.ts';
import { type Json, link } from '../message.ts';
import { CHASSIS, SYSTEM } from './paths.ts';
import { collection, HEALTHY, idOf, resource } from './shape.ts';

/** Where firmware of before 2017 keeps disks, and where some keep interfaces to this day. */
const STORAGES = `${SYSTEM}/SimpleStorage`;
const ADAPTERS = `${CHASSIS}/NetworkAdapters`;
const ADAPTER = `${ADAPTERS}/1`;
const FUNCTIONS = `${ADAPTER}/NetworkDeviceFunctions`;

const isOld = ({ personality }: LabContext): boolean => personality.inventory === 'old';

const storageOf = ({ server }: LabContext): Json =>
  resource('SimpleStorage', `${STORAGES}/1`, {
    Name: 'Storage',
    Status: HEALTHY,
    Devices: server.hardware.disks.map(({ label, model, sizeBytes }) => ({
      Name: label,
      Model: model,
      CapacityBytes: sizeBytes,
      Status: HEALTHY,
    })),
  });

const adapterOf = (): Json =>
  resource('NetworkAdapter', ADAPTER, {
    Name: 'Network adapter',
    Status: HEALTHY,
    NetworkDeviceFunctions: link(FUNCTIONS),
  });

const functionOf = (nic: LabNic, path: string): Json =>
  resource('NetworkDeviceFunction', path, {
    Name: nic.label,
    NetDevFuncType: 'Ethernet',
    DeviceEnabled: true,
    Ethernet: { MACAddress: nic.mac, PermanentMACAddress: nic.mac },
    Status: HEALTHY,
  });

const when = (context: LabContext, build: () => Json): Json | undefined =>
  isOld(context) ? build() : undefined;

export const OLD_INVENTORY_ROUTES: readonly Route[] = [
  {
    path: STORAGES,
    get: (context) =>
      when(context, () => collection('SimpleStorage', STORAGES, { name: 'Storage', ids: ['1'] })),
  },
  { path: `${STORAGES}/1`, get: (context) => when(context, () => storageOf(context)) },
  {
    path: ADAPTERS,
    get: (context) =>
      when(context, () => collection('NetworkAdapter', ADAPTERS, { name: 'Adapters', ids: ['1'] })),
  },
  { path: ADAPTER, get: (context) => when(context, adapterOf) },
  {
    path: FUNCTIONS,
    get: (context) =>
      when(context, () => {
        const ids = context.server.hardware.nics.map(({ label }) => idOf(label));
        return collection('NetworkDeviceFunction', FUNCTIONS, { name: 'Functions', ids });
      }),
  },
  {
    path: `${FUNCTIONS}/{id}`,
    get: (context, { id, path }) => {
      const nic = context.server.hardware.nics.find(({ label }) => idOf(label) === id);
      return nic === undefined ? undefined : when(context, () => functionOf(nic, path));
    },
  },
];
