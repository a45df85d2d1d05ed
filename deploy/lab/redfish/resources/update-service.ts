import type { LabContext, Route, Write } from '../context.ts';
import { type Json, link, refuse } from '../message.ts';
import { FIRMWARE, ROOT } from './paths.ts';
import { collection, HEALTHY, oneOf, resource, textField } from './shape.ts';
import { taskReply } from './task-service.ts';

const SERVICE = `${ROOT}/UpdateService`;

const serviceOf = (): Json =>
  resource('UpdateService', SERVICE, {
    Name: 'Update service',
    ServiceEnabled: true,
    Status: HEALTHY,
    FirmwareInventory: link(FIRMWARE),
    SoftwareInventory: link(SOFTWARE),
    Actions: {
      '#UpdateService.SimpleUpdate': {
        target: UPDATE,
        'TransferProtocol@Redfish.AllowableValues': PROTOCOLS,
      },
    },
  });

/** Of what runs in an operating system nothing is known. */
const SOFTWARE = `${SERVICE}/SoftwareInventory`;
const UPDATE = `${SERVICE}/Actions/UpdateService.SimpleUpdate`;
const PROTOCOLS = ['HTTP', 'HTTPS'] as const;

/** Taken as any image is, and found to be none for this machine. */
const update: Write = ({ tasks }, body) => {
  const image = textField(body, 'ImageURI');
  const protocol = oneOf(body, 'TransferProtocol', PROTOCOLS);
  for (const field of [image, protocol]) if (field.kind === 'wrong') return field.reply;
  if (image.kind !== 'value') {
    return refuse(400, 'ActionParameterMissing', { detail: 'It is ImageURI.' });
  }
  const failing = async (): Promise<void> => {
    throw new Error(`${image.value} is no firmware for a virtual server, which has that of qemu.`);
  };
  return taskReply(tasks.start('Firmware update', failing));
};

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
  { path: UPDATE, post: update, need: 'manager' },
  {
    path: SOFTWARE,
    get: () => collection('SoftwareInventory', SOFTWARE, { name: 'Software', ids: [] }),
  },
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
