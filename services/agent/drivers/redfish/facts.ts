import type { FactsAspect, HardwareFacts, Offer } from '../../bmc-port.ts';
import { disksIn } from './disks.ts';
import { macOf, nicOf } from './fact-parts.ts';
import { firmwareIn } from './firmware.ts';
import type { Place } from './place.ts';
import { isThere, linkAt, numberAt, type Resource, textAt } from './resource.ts';

/** What the machine is made of; each part from the place where this service keeps it. */
export const offerFacts = (place: Place): Offer<FactsAspect> => ({
  kind: 'offered',
  how: `${place.systemLink} and what it links to`,
  aspect: { read: (signal) => readFacts(place, signal) },
});

const readFacts = async (place: Place, signal: AbortSignal): Promise<HardwareFacts> => {
  const { client } = place;
  const system = await client.get(place.systemLink, signal);
  const processors = await client.parts(linkAt(system, 'Processors'), signal);
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

const GIGABYTE = 10 ** 9;
/** How far from a whole number it may be that a wrong division has left. */
const WHOLE_WITHIN = 0.01;

/** A right one is whole; one that becomes whole that way was divided wrongly. */
const gibibytesIn = (told: number, { rules }: Place): number => {
  const gigabytes = (told * GIBIBYTE) / GIGABYTE;
  const whole = Math.round(gigabytes);
  const isWrong = !Number.isInteger(told) && Math.abs(gigabytes - whole) < WHOLE_WITHIN;
  return rules.memoryUnit === 'decimal' && isWrong ? whole : told;
};

/** The summary costs no call; some leave it null while the machine is off. */
const memoryIn = async (place: Place, system: Resource, signal: AbortSignal): Promise<number> => {
  const summary = numberAt(system, 'MemorySummary', 'TotalSystemMemoryGiB') ?? 0;
  if (summary > 0) return Math.round(gibibytesIn(summary, place) * GIBIBYTE);
  const modules = await place.client.parts(linkAt(system, 'Memory'), signal);
  return modules
    .filter(isThere)
    .reduce((sum, one) => sum + (numberAt(one, 'CapacityMiB') ?? 0) * MEBIBYTE, 0);
};

const nicsIn = async (
  place: Place,
  system: Resource,
  signal: AbortSignal,
): Promise<HardwareFacts['nics']> => {
  const own = await place.client.parts(linkAt(system, 'EthernetInterfaces'), signal);
  const ports = own.some((one) => macOf(one) !== '') ? own : await functionsOf(place, signal);
  const bmc = await place.client.parts(linkAt(place.manager, 'EthernetInterfaces'), signal);
  const found = [...ports.map(nicOf(false)), ...bmc.map(nicOf(true))];
  const named = found.filter(({ mac }) => mac !== '');
  return [...new Map(named.map((nic) => [`${nic.mac} ${nic.bmc}`, nic])).values()];
};

/** Where the system lists no interface of its own, the adapters in its chassis do. */
const functionsOf = async (place: Place, signal: AbortSignal): Promise<readonly Resource[]> => {
  const found: Resource[] = [];
  for (const link of place.chassisLinks.slice(0, 1)) {
    const chassis = await place.client.part(link, signal);
    for (const adapter of await place.client.parts(linkAt(chassis, 'NetworkAdapters'), signal)) {
      const functions = linkAt(adapter, 'NetworkDeviceFunctions');
      found.push(...(await place.client.parts(functions, signal)));
    }
  }
  return found;
};
