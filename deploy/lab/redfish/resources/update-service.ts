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

const versionsOf = ({ server }: LabContext): Readonly<Record<string, string>> => ({
  BIOS: server.hardware.biosVersion,
  BMC: server.hardware.bmcVersion,
});

const firmwareOf = (context: LabContext, id: string): Json | undefined => {
  const version = new Map(Object.entries(versionsOf(context))).get(id);
  if (version === undefined) return undefined;
  return resource('SoftwareInventory', `${FIRMWARE}/${id}`, {
    Name: id,
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
