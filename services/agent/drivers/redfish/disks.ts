import type { DiskFact } from '../../bmc-port.ts';
import { diskOf, diskOfSmartStorage, disksOfSimple } from './fact-parts.ts';
import type { Place } from './place.ts';
import { isThere, linkAt, linksAt, type Resource } from './resource.ts';

/** Disks of the machine: by Storage, by what a make has beside it, else by SimpleStorage. */
export const disksIn = async (
  place: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<readonly DiskFact[]> => {
  const { client } = place;
  const drives = (await drivesIn(place, system, signal)).map(diskOf);
  const known = new Set(drives.map(({ serialNumber }) => serialNumber));
  const others = await smartDrivesIn(place, system, signal);
  const found = [...drives, ...others.filter(({ serialNumber }) => !known.has(serialNumber))];
  if (found.length > 0) return found;
  const simple = await client.parts(linkAt(system, 'SimpleStorage'), signal);
  return simple.flatMap(disksOfSimple);
};

const DRIVES_MAX = 512;

const drivesIn = async (
  { client }: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<readonly Resource[]> => {
  const storages = await client.parts(linkAt(system, 'Storage'), signal);
  const links = [...new Set(storages.flatMap((one) => linksAt(one, 'Drives')))];
  const drives: Resource[] = [];
  for (const link of links.slice(0, DRIVES_MAX)) {
    const drive = await client.part(link, signal);
    if (drive !== undefined && isThere(drive)) drives.push(drive);
  }
  return drives;
};

/** Array controllers of HPE have a tree of their own, which Storage does not show. */
const smartDrivesIn = async (
  { client, rules }: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<readonly DiskFact[]> => {
  if (rules.disks !== 'smart-storage') return [];
  const links = ['Hpe', 'Hp'].map((make) => linkAt(system, 'Oem', make, 'Links', 'SmartStorage'));
  const at = links.find((link) => link !== '') ?? '';
  const storage = at === '' ? undefined : await client.part(at, signal);
  const found: DiskFact[] = [];
  const controllers = linkAt(storage, 'Links', 'ArrayControllers');
  for (const controller of await client.parts(controllers, signal)) {
    const drives = await client.parts(linkAt(controller, 'Links', 'PhysicalDrives'), signal);
    found.push(...drives.filter(isThere).slice(0, DRIVES_MAX).map(diskOfSmartStorage));
  }
  return found;
};
