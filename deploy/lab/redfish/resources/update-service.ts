import type { LabContext, Route } from '../context.ts';
import { type Json, link } from '../message.ts';
import { FIRMWARE, ROOT } from './paths.ts';
import { collection, HEALTHY, resource } from './shape.ts';

const SERVICE = `${ROOT}/UpdateService`;

const serviceOf = (): Json =>
  resource('UpdateService', SERVICE, {
    Name: 'Update service',
    ServiceEnabled: false,
    Status: { State: 'Disabled' },
    FirmwareInventory: link(FIRMWARE),
    // There is none, and sushy expects the place.
    Actions: {},
  });

type Versions = Readonly<Record<string, string>>;

const versionsOf = ({ server, personality }: LabContext): Versions => {
  const runs = { BIOS: server.hardware.biosVersion, BMC: server.hardware.bmcVersion };
  if (personality.firmware !== 'all') return runs;
  return Object.fromEntries(
    Object.entries(runs).flatMap(([name, version]) => [
      [`Current-${name}`, version],
      [`Installed-${name}`, version],
      [`Previous-${name}`, '0.9.9'],
    ]),
  );
};

const firmwareOf = (context: LabContext, id: string): Json | undefined => {
  const version = new Map(Object.entries(versionsOf(context))).get(id);
  if (version === undefined) return undefined;
  return resource('SoftwareInventory', `${FIRMWARE}/${id}`, {
    Name: id.split('-').at(-1) ?? id,
    Version: version,
    Updateable: false,
    Status: HEALTHY,
  });
};

export const UPDATE_ROUTES: readonly Route[] = [
  { path: SERVICE, get: serviceOf },
  {
    path: FIRMWARE,
    get: (context) =>
      collection('SoftwareInventory', FIRMWARE, {
        name: 'Firmware',
        ids: Object.keys(versionsOf(context)),
      }),
  },
  { path: `${FIRMWARE}/{id}`, get: (context, { id }) => firmwareOf(context, id) },
];
