import type { FirmwareFact } from '../../bmc-port.ts';
import { firmwareOf } from './fact-parts.ts';
import type { Place } from './place.ts';
import { linkAt, type Resource, textAt } from './resource.ts';

/** Which firmware runs: by the inventory of the update service, else what the parts say of it. */
export const firmwareIn = async (
  place: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<readonly FirmwareFact[]> => {
  const { client, rules } = place;
  const service = linkAt(place.root, 'UpdateService');
  const update = service === '' ? undefined : await client.part(service, signal);
  const link = linkAt(update, 'FirmwareInventory');
  // Where each item is a call, those that do not run are most of them.
  const inventory = await client.parts(link, signal, runsBy(rules.installedFirmware));
  const listed = inventory.map(firmwareOf).filter(({ version }) => version !== '');
  if (listed.length > 0) return listed;
  return [
    { component: 'BIOS', version: textAt(system, 'BiosVersion') },
    { component: 'BMC', version: textAt(place.manager, 'FirmwareVersion') },
  ].filter(({ version }) => version !== '');
};

const runsBy =
  (installed: RegExp = /^/) =>
  (item: Resource): boolean =>
    installed.test(textAt(item, '@odata.id').split('/').at(-1) ?? '');
