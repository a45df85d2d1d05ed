/**
 * What describes the sensors: a full record for each amount, and a compact one for the state that
 * log entries refer to (IPMI 2.0 §43.1, §43.2).
 */
import type { LabSensor } from '../server-port.ts';
import { type Personality, PLAIN } from './personality.ts';

/** How an amount is told as one byte: raw × m × 10^exponent. */
export type Scale = { readonly m: number; readonly exponent: number };

export const HEALTH_SENSOR = 0x80;
export const HEALTH_SENSOR_TYPE = 0x12;
/** Generic severity (table 42-2). */
export const SEVERITY_EVENT_TYPE = 0x07;
const THRESHOLD_EVENT_TYPE = 0x01;
const DIGITAL_EVENT_TYPE = 0x03;

const TYPES: Readonly<Record<LabSensor['kind'], { type: number; unit: number; entity: number }>> = {
  temperature: { type: 0x01, unit: 1, entity: 0x03 },
  voltage: { type: 0x02, unit: 4, entity: 0x14 },
  fan: { type: 0x04, unit: 18, entity: 0x1d },
  power: { type: 0x0b, unit: 6, entity: 0x0a },
};

const M_MAX = 511;
const HEADROOM = 1.25;
const BMC = 0x20;
const FULL_RECORD = 0x01;
const COMPACT_RECORD = 0x02;
const NAME_BYTES_MAX = 16;
const ASCII = 0xc0;

export const sensorNumber = (index: number): number => index + 1;

/** The finest that shows a quarter more than its upper limit. */
export const scaleOf = ({ upperCritical }: LabSensor): Scale => {
  const perStep = (upperCritical * HEADROOM) / 255;
  let exponent = Math.ceil(Math.log10(perStep / M_MAX));
  let m = Math.ceil(perStep / 10 ** exponent);
  while (m % 10 === 0) {
    m /= 10;
    exponent += 1;
  }
  return { m, exponent };
};

export const rawOf = (value: number, { m, exponent }: Scale): number =>
  Math.max(0, Math.min(255, Math.round(value / (m * 10 ** exponent))));

/** In the order of their ids, which count from 1. */
export const sensorRecords = (
  sensors: readonly LabSensor[],
  personality: Personality = PLAIN,
): readonly Buffer[] => {
  const records = sensors.map((sensor, index) => fullRecord(sensor, index, personality));
  return [...records, healthRecord(records.length + 1)];
};

const fullRecord = (
  sensor: LabSensor,
  index: number,
  { sensorOwner, amounts }: Personality,
): Buffer => {
  const eventType = amounts === 'threshold' ? THRESHOLD_EVENT_TYPE : DIGITAL_EVENT_TYPE;
  const { type, unit, entity } = TYPES[sensor.kind];
  const scale = scaleOf(sensor);
  const bytes = Buffer.alloc(47);
  bytes.set([sensorOwner, 0, sensorNumber(index), entity, index + 1], 5);
  // Initialised: scanning and events on; thresholds readable.
  bytes.set([0x7f, 0x44, type, eventType], 10);
  // Upper critical going high, and which thresholds can be read.
  bytes.writeUInt16LE(0x0200, 14);
  bytes.writeUInt16LE(0x0200, 16);
  bytes.writeUInt16LE(0x0010, 18);
  bytes[21] = unit;
  bytes[24] = scale.m & 0xff;
  bytes[25] = (scale.m >> 8) << 6;
  bytes[29] = (scale.exponent & 0x0f) << 4;
  bytes[34] = 255;
  bytes[37] = rawOf(sensor.upperCritical, scale);
  return finish(bytes, { id: index + 1, type: FULL_RECORD, name: sensor.name });
};

const healthRecord = (id: number): Buffer => {
  const bytes = Buffer.alloc(31);
  bytes.set([BMC, 0, HEALTH_SENSOR, 0x07, 1], 5);
  bytes.set([0x67, 0x40, HEALTH_SENSOR_TYPE, SEVERITY_EVENT_TYPE], 10);
  for (const at of [14, 16, 18]) bytes.writeUInt16LE(0x0007, at);
  bytes[20] = 0xc0;
  bytes[23] = 1;
  return finish(bytes, { id, type: COMPACT_RECORD, name: 'Health' });
};

type Ending = { readonly id: number; readonly type: number; readonly name: string };

/** Adds the name at the end and the header in front (§43, bytes 1 to 5). */
const finish = (bytes: Buffer, { id, type, name }: Ending): Buffer => {
  const text = Buffer.from(name, 'latin1').subarray(0, NAME_BYTES_MAX);
  const record = Buffer.concat([bytes, Buffer.from([ASCII | text.length]), text]);
  record.writeUInt16LE(id, 0);
  record[2] = 0x51;
  record[3] = type;
  record[4] = record.length - 5;
  return record;
};
