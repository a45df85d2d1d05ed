import { BmcError, type FactsAspect, type HardwareFacts, type Offer } from '../../bmc-port.ts';
import { diskOf, disksOfSimple, firmwareOf, macOf, nicOf } from './fact-parts.ts';
import type { Place } from './place.ts';
import { linkAt, linksAt, numberAt, type Resource, textAt } from './resource.ts';

/** What the machine is made of; each part from the place where this service keeps it. */
export const offerFacts = (place: Place): Offer<FactsAspect> => ({
  kind: 'offered',
  how: `${place.systemLink} and what it links to`,
  aspect: { read: (signal) => readFacts(place, signal) },
});

const readFacts = async (place: Place, signal: AbortSignal): Promise<HardwareFacts> => {
  const { client } = place;
  const system = await client.get(place.systemLink, signal);
  const processors = await membersOf(place, linkAt(system, 'Processors'), signal);
  const cpus = processors.filter((one) => textAt(one, 'ProcessorType') === 'CPU' && isThere(one));
  const [cpu] = cpus;
  return {
    vendor: textAt(system, 'Manufacturer'),
    model: textAt(system, 'Model'),
    serialNumber: serialIn(system, place),
    smbiosUuid: uuidIn(system),
    architecture: architectureOf(cpu),
    cpuModel: textAt(cpu, 'Model') || textAt(system, 'ProcessorSummary', 'Model'),
    cpuSockets: cpus.length || (numberAt(system, 'ProcessorSummary', 'Count') ?? 0),
    cpuThreads: threadsIn(cpus, system),
    memoryBytes: await memoryIn(place, system, signal),
    disks: await disksIn(place, system, signal),
    nics: await nicsIn(place, system, signal),
    firmware: await firmwareIn(place, system, signal),
  };
};

const membersOf = async (
  { client }: Place,
  link: string,
  signal: AbortSignal,
): Promise<readonly Resource[]> => {
  if (link === '') return [];
  try {
    return await client.members(link, signal);
  } catch (error) {
    // A collection that is linked and not there is a common gap, and no reason to know nothing.
    if (error instanceof BmcError && error.fault === 'unsupported') return [];
    throw error;
  }
};

const isThere = (part: Resource): boolean => textAt(part, 'Status', 'State') !== 'Absent';

const PLACEHOLDERS =
  /^(?:0+|f+|none|n\/?a|unknown|null|empty|default string|to be filled by o\.?e\.?m\.?|not specified|system serial number|0123456789|1234567890?)$/i;

const serialIn = (system: Resource, { rules }: Place): string => {
  const serial =
    textAt(system, rules.serialNumber ?? 'SerialNumber') || textAt(system, 'SerialNumber');
  return PLACEHOLDERS.test(serial) ? '' : serial;
};

/** Identifiers that boards are shipped with when nobody wrote one. */
const KNOWN_UUIDS = new Set([
  '03000200-0400-0500-0006-000700080009',
  '12345678-1234-5678-90ab-cddeefaabbcc',
  'fefefefe-fefe-fefe-fefe-fefefefefefe',
]);

const uuidIn = (system: Resource): string => {
  const uuid = textAt(system, 'UUID').toLowerCase();
  const hex = uuid.replaceAll('-', '');
  const isUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid);
  const isFilled = !/^(?:0+|f+)$/.test(hex);
  return isUuid && isFilled && !KNOWN_UUIDS.has(uuid) ? uuid : '';
};

/** As GOARCH and our capabilities spell it is the caller's; this is Linux's name of it. */
const architectureOf = (cpu: Resource | undefined): string => {
  const set = textAt(cpu, 'InstructionSet');
  const family = textAt(cpu, 'ProcessorArchitecture');
  if (set === 'x86-64' || (set === '' && family === 'x86')) return 'x86_64';
  if (set === 'ARM-A64' || (set === '' && family === 'ARM')) return 'aarch64';
  return '';
};

const threadsIn = (cpus: readonly Resource[], system: Resource): number => {
  const counted = cpus.reduce(
    (sum, one) => sum + (numberAt(one, 'TotalThreads') ?? numberAt(one, 'TotalCores') ?? 0),
    0,
  );
  return counted || (numberAt(system, 'ProcessorSummary', 'LogicalProcessorCount') ?? 0);
};

const GIBIBYTE = 2 ** 30;
const MEBIBYTE = 2 ** 20;

/** The summary costs no call; some leave it null while the machine is off. */
const memoryIn = async (place: Place, system: Resource, signal: AbortSignal): Promise<number> => {
  const summary = numberAt(system, 'MemorySummary', 'TotalSystemMemoryGiB') ?? 0;
  if (summary > 0) return Math.round(summary * GIBIBYTE);
  const modules = await membersOf(place, linkAt(system, 'Memory'), signal);
  return modules
    .filter(isThere)
    .reduce((sum, one) => sum + (numberAt(one, 'CapacityMiB') ?? 0) * MEBIBYTE, 0);
};

const DRIVES_MAX = 512;

const disksIn = async (
  place: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<HardwareFacts['disks']> => {
  const storages = await membersOf(place, linkAt(system, 'Storage'), signal);
  const links = [...new Set(storages.flatMap((one) => linksAt(one, 'Drives')))];
  const drives: Resource[] = [];
  for (const link of links.slice(0, DRIVES_MAX)) {
    const drive = await place.client.find(link, signal);
    if (drive !== undefined && isThere(drive)) drives.push(drive);
  }
  if (drives.length > 0) return drives.map(diskOf);
  const simple = await membersOf(place, linkAt(system, 'SimpleStorage'), signal);
  return simple.flatMap(disksOfSimple);
};

const nicsIn = async (
  place: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<HardwareFacts['nics']> => {
  const own = await membersOf(place, linkAt(system, 'EthernetInterfaces'), signal);
  const ports = own.some((one) => macOf(one) !== '') ? own : await functionsOf(place, signal);
  const bmc = await membersOf(place, linkAt(place.manager, 'EthernetInterfaces'), signal);
  const found = [...ports.map(nicOf(false)), ...bmc.map(nicOf(true))];
  const named = found.filter(({ mac }) => mac !== '');
  return [...new Map(named.map((nic) => [`${nic.mac} ${nic.bmc}`, nic])).values()];
};

/** Where the system lists no interface of its own, the adapters in its chassis do. */
const functionsOf = async (place: Place, signal: AbortSignal): Promise<readonly Resource[]> => {
  const found: Resource[] = [];
  for (const link of place.chassisLinks.slice(0, 1)) {
    const chassis = await place.client.find(link, signal);
    for (const adapter of await membersOf(place, linkAt(chassis, 'NetworkAdapters'), signal)) {
      const functions = linkAt(adapter, 'NetworkDeviceFunctions');
      found.push(...(await membersOf(place, functions, signal)));
    }
  }
  return found;
};

const firmwareIn = async (
  place: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<HardwareFacts['firmware']> => {
  const service = linkAt(place.root, 'UpdateService');
  const update = service === '' ? undefined : await place.client.find(service, signal);
  const inventory = await membersOf(place, linkAt(update, 'FirmwareInventory'), signal);
  const listed = inventory.map(firmwareOf).filter(({ version }) => version !== '');
  if (listed.length > 0) return listed;
  return [
    { component: 'BIOS', version: textAt(system, 'BiosVersion') },
    { component: 'BMC', version: textAt(place.manager, 'FirmwareVersion') },
  ].filter(({ version }) => version !== '');
};
