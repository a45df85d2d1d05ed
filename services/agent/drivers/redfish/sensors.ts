import type { Offer, SensorAspect, SensorReading } from '../../bmc-port.ts';
import type { Place } from './place.ts';
import { at, isThere, linkAt, listAt, numberAt, type Resource, textAt } from './resource.ts';

/**
 * Sensors of the chassis (since 2018.3), else Thermal and Power, which most firmware has and which
 * are deprecated since 2020.4.
 */
export const offerSensors = (place: Place): Offer<SensorAspect> => {
  const { client, chassisLinks } = place;
  if (chassisLinks.length === 0) {
    return { kind: 'not_offered', why: 'The service names no chassis of the system' };
  }
  const read = async (signal: AbortSignal): Promise<readonly SensorReading[]> => {
    const found: Part[] = [];
    for (const link of chassisLinks.slice(0, CHASSIS_MAX)) {
      const chassis = await client.find(link, signal);
      if (chassis !== undefined) found.push(...(await readingsOf(place, chassis, signal)));
    }
    return distinct(found);
  };
  return { kind: 'offered', aspect: { read }, how: `Sensors of ${chassisLinks.join(', ')}` };
};

const CHASSIS_MAX = 16;

/** `link`: of itself, where it says so. */
type Part = { readonly link: string; readonly reading: SensorReading };

const readingsOf = async (
  { client }: Place,
  chassis: Resource,
  signal: AbortSignal,
): Promise<readonly Part[]> => {
  const found = await client.parts(linkAt(chassis, 'Sensors'), signal);
  // Some have the collection and leave it empty, or link to nothing.
  if (found.length > 0) return found.filter(isThere).map(sensorOf);
  const [thermal, power] = [linkAt(chassis, 'Thermal'), linkAt(chassis, 'Power')];
  return [
    ...(thermal === '' ? [] : thermalOf(await client.part(thermal, signal))),
    ...(power === '' ? [] : powerOf(await client.part(power, signal))),
  ];
};

/** An empty slot has a sensor too, and some say 0 degrees of it (iLO). */
const partsOf = (resource: Resource | undefined, name: string): readonly unknown[] =>
  listAt(resource, name).filter(isThere);

type Kind = SensorReading['kind'];

const KINDS: Readonly<Record<string, Kind>> = {
  Temperature: 'temperature',
  Rotational: 'fan',
  Voltage: 'voltage',
  Current: 'current',
  Power: 'power',
};

/** Spellings of units that are no UCUM. */
const UNITS: Readonly<Record<string, string>> = {
  RPM: '{rev}/min',
  '{rev}/min': '{rev}/min',
  Percent: '%',
  Volts: 'V',
  Watts: 'W',
  Amps: 'A',
};

const sensorOf = (sensor: Resource): Part => {
  const unit = textAt(sensor, 'ReadingUnits');
  const type = textAt(sensor, 'ReadingType');
  // Fans are told as a share of their speed, too.
  const isFan = textAt(sensor, 'PhysicalContext') === 'Fan' || /\bfan/i.test(nameOf(sensor));
  const kind = KINDS[type] ?? (type === 'Percent' && isFan ? 'fan' : 'other');
  return reading(sensor, { kind, value: numberAt(sensor, 'Reading'), unit: UNITS[unit] ?? unit });
};

const thermalOf = (thermal: Resource | undefined): readonly Part[] => [
  ...partsOf(thermal, 'Temperatures').map((one) =>
    reading(one, { kind: 'temperature', value: numberAt(one, 'ReadingCelsius'), unit: 'Cel' }),
  ),
  ...partsOf(thermal, 'Fans').map((one) => {
    const unit = textAt(one, 'ReadingUnits') || textAt(one, 'Units') || 'RPM';
    // ReadingRPM is how the first schema called it, CurrentReading and Units how iLO 4 does.
    const names = ['Reading', 'ReadingRPM', 'CurrentReading'];
    const value = names.map((name) => numberAt(one, name)).find((found) => found !== undefined);
    return reading(one, { kind: 'fan', value, unit: UNITS[unit] ?? unit });
  }),
];

const powerOf = (power: Resource | undefined): readonly Part[] => [
  ...partsOf(power, 'PowerControl').map((one) =>
    reading(one, { kind: 'power', value: numberAt(one, 'PowerConsumedWatts'), unit: 'W' }),
  ),
  ...partsOf(power, 'Voltages').map((one) =>
    reading(one, { kind: 'voltage', value: numberAt(one, 'ReadingVolts'), unit: 'V' }),
  ),
  ...partsOf(power, 'PowerSupplies').map((one) => {
    const value = numberAt(one, 'PowerOutputWatts') ?? numberAt(one, 'LastPowerOutputWatts');
    return reading(one, { kind: 'power', value, unit: 'W' });
  }),
];

type Amount = { readonly kind: Kind; readonly value: number | undefined; readonly unit: string };

const reading = (part: unknown, { kind, value, unit }: Amount): Part => {
  const base = { name: nameOf(part), kind, unit, health: healthOf(part) };
  const isRead = value !== undefined && !isOff(part);
  return { link: linkAt(part), reading: isRead ? { ...base, value } : base };
};

const isOff = (part: unknown): boolean =>
  ['Disabled', 'UnavailableOffline'].includes(textAt(part, 'Status', 'State'));

/** Fans are called FanName by the first schema. */
const nameOf = (part: unknown): string =>
  textAt(part, 'Name') ||
  textAt(part, 'FanName') ||
  textAt(part, 'MemberId') ||
  textAt(part, 'Id') ||
  linkAt(part);

const HEALTHS: Readonly<Record<string, SensorReading['health']>> = {
  OK: 'ok',
  Warning: 'warning',
  Critical: 'critical',
};

const healthOf = (part: unknown): SensorReading['health'] => {
  if (isOff(part)) return 'unknown';
  return HEALTHS[String(at(part, 'Status', 'Health'))] ?? 'unknown';
};

/**
 * The same sensor may be listed by the chassis and by what stands in it; and two that are not the
 * same may have one name (power supplies of iLO), so the second gets a number.
 */
const distinct = (parts: readonly Part[]): readonly SensorReading[] => {
  const found = [...new Map(parts.map((part) => [keyOf(part), part.reading])).values()];
  const seen = new Map<string, number>();
  return found.map((one) => {
    const key = `${one.kind} ${one.name}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count === 1 ? one : { ...one, name: `${one.name} ${count}` };
  });
};

const keyOf = ({ link, reading: { kind, name } }: Part): string =>
  link === '' ? `${kind} ${name}` : `${kind} ${link}`;
