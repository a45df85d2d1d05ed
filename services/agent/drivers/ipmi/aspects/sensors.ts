/** Readings of all sensors (IPMI 2.0 §35.5, §35.14). */
import type { SensorAspect, SensorReading } from '../../../bmc-port.ts';
import { meaningOf } from '../records/event-meaning.ts';
import {
  amountOf,
  healthOfBits,
  healthOfThresholds,
  kindOf,
  ucumOf,
} from '../records/sensor-amount.ts';
import {
  type Conversion,
  decodeFactors,
  NONLINEAR,
  type SensorRecord,
  THRESHOLD_EVENT_TYPE,
} from '../records/sensor-record.ts';
import { withDeadline } from '../session/link.ts';
import { BMC_ADDRESS } from '../wire/message.ts';
import type { Place } from './place.ts';
import type { SensorRepository } from './sensor-repository.ts';

const NETFN_SENSOR = 0x04;
const GET_READING = 0x2d;
const GET_FACTORS = 0x23;
const SCANNED = 0x40;
const UNAVAILABLE = 0x20;
const FACTOR_BYTES = 6;
const STATES = 15;

type Raw = {
  readonly value: number;
  /** Thresholds that are passed, or states that are so; undefined: it does not say. */
  readonly states: number | undefined;
};

export const createSensorAspect = (
  place: Pick<Place, 'link' | 'rules'>,
  repository: SensorRepository,
): SensorAspect => {
  const { link, rules } = place;
  const { provider } = link;

  /** Undefined where it cannot be read now. */
  const rawOf = async (record: SensorRecord, signal: AbortSignal): Promise<Raw | undefined> => {
    const { lun, number } = record;
    const asked = { netFn: NETFN_SENSOR, command: GET_READING, lun, data: Buffer.from([number]) };
    const { code, data } = await link.ask(asked, signal);
    const [value, flags, low, high = 0] = data;
    if (code !== 0 || value === undefined || flags === undefined) return undefined;
    const isScanned = rules.scanning === 'ignored' || (flags & SCANNED) !== 0;
    if ((flags & UNAVAILABLE) !== 0 || !isScanned) return undefined;
    return { value, states: low === undefined ? undefined : low | ((high & 0x7f) << 8) };
  };

  const convert = async (
    record: SensorRecord,
    conversion: Conversion,
    { raw, signal }: { readonly raw: number; readonly signal: AbortSignal },
  ): Promise<number | undefined> => {
    if (conversion.linearization < NONLINEAR) return amountOf(raw, conversion);
    const { lun, number } = record;
    const data = Buffer.from([number, raw]);
    const asked = { netFn: NETFN_SENSOR, command: GET_FACTORS, lun, data };
    const answer = await link.ask(asked, signal);
    const factors = answer.data.subarray(1);
    if (answer.code !== 0 || factors.length < FACTOR_BYTES) return undefined;
    return amountOf(raw, conversion, decodeFactors(factors));
  };

  const readingOf = async (record: SensorRecord, signal: AbortSignal): Promise<SensorReading> => {
    const raw = await rawOf(record, signal);
    const isThreshold = record.eventType === THRESHOLD_EVENT_TYPE;
    const hasAmount = isThreshold || rules.discreteAmounts === 'read';
    const conversion = hasAmount ? record.conversion : undefined;
    const unit = conversion === undefined ? '' : ucumOf(conversion);
    const common = { name: record.name, kind: kindOf(record), unit };
    if (raw === undefined) return { ...common, health: 'unknown' };
    const health = isThreshold ? healthOf(raw, conversion) : healthOfStates(record, raw);
    if (conversion === undefined) return { ...common, health };
    const value = await convert(record, conversion, { raw: raw.value, signal });
    return value === undefined ? { ...common, health } : { ...common, value, health };
  };

  const isOwn = (record: SensorRecord): boolean =>
    record.owner === BMC_ADDRESS || rules.sensorOwner === 'itself';

  return {
    read: (signal) =>
      withDeadline({ provider, signal }, async () => {
        const readings: SensorReading[] = [];
        // Sensors of satellites would have to be asked through it, and most are mirrored by it.
        for (const record of (await repository.read(signal)).filter(isOwn)) {
          readings.push(await readingOf(record, signal));
        }
        return readings;
      }),
  };
};

const healthOf = (raw: Raw, conversion: Conversion | undefined): SensorReading['health'] => {
  if (raw.states !== undefined) return healthOfBits(raw.states & 0x3f);
  return conversion === undefined ? 'unknown' : healthOfThresholds(raw.value, conversion);
};

/** The worst of the states that are so; unknown where the tables have no word for it. */
const healthOfStates = (record: SensorRecord, { states }: Raw): SensorReading['health'] => {
  if (states === undefined) return 'unknown';
  const offsets = Array.from({ length: STATES }, (_, offset) => offset).filter(
    (offset) => (states & (1 << offset)) !== 0,
  );
  const found = offsets.map(
    (offset) => meaningOf(record.eventType, record.sensorType, offset)?.severity ?? 'unknown',
  );
  const order = ['critical', 'warning', 'unknown', 'ok'] as const;
  return order.find((health) => found.includes(health)) ?? 'ok';
};
