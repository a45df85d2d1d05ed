/** From a sensor's byte to an amount (IPMI 2.0 §36.3) in a UCUM unit. */
import type { SensorReading } from '../../../bmc-port.ts';
import {
  type Conversion,
  type Factors,
  type SensorRecord,
  signed,
  type ThresholdLevel,
} from './sensor-record.ts';

/** Table 43-1, byte 24. */
const LINEARIZATIONS: readonly ((value: number) => number)[] = [
  (value) => value,
  Math.log,
  Math.log10,
  Math.log2,
  Math.exp,
  (value) => 10 ** value,
  (value) => 2 ** value,
  (value) => 1 / value,
  (value) => value ** 2,
  (value) => value ** 3,
  Math.sqrt,
  Math.cbrt,
];

/** Undefined where the arithmetic has no result, such as a logarithm of 0. */
export const amountOf = (
  raw: number,
  conversion: Conversion,
  factors: Factors = conversion.factors,
): number | undefined => {
  const { m, b, bExponent, resultExponent } = factors;
  const x = numberOf(raw, conversion.format);
  const linear = (m * x + b * 10 ** bExponent) * 10 ** resultExponent;
  const apply = LINEARIZATIONS[conversion.linearization];
  const value = unitOf(conversion).toUnit(apply === undefined ? linear : apply(linear));
  // Twelve digits: more are the arithmetic's, not the sensor's.
  return Number.isFinite(value) ? Number(value.toPrecision(12)) : undefined;
};

const numberOf = (raw: number, format: Conversion['format']): number => {
  switch (format) {
    case 'unsigned':
      return raw;
    case 'twos_complement':
      return signed(raw, 8);
    case 'ones_complement':
      return raw >= 0x80 ? raw - 0xff : raw;
  }
};

type Unit = { readonly ucum: string; readonly toUnit: (value: number) => number };

const same = (ucum: string): Unit => ({ ucum, toUnit: (value) => value });

/** Table 43-15; temperatures become degrees Celsius. */
const UNITS: Readonly<Record<number, Unit>> = {
  1: same('Cel'),
  2: { ucum: 'Cel', toUnit: (value) => ((value - 32) * 5) / 9 },
  3: { ucum: 'Cel', toUnit: (value) => value - 273.15 },
  4: same('V'),
  5: same('A'),
  6: same('W'),
  7: same('J'),
  8: same('C'),
  9: same('V.A'),
  17: same('[cft_i]/min'),
  18: same('{rev}/min'),
  19: same('Hz'),
  20: same('us'),
  21: same('ms'),
  22: same('s'),
  23: same('min'),
  24: same('h'),
  25: same('d'),
};

const unitOf = ({ isPercentage, unit }: Conversion): Unit =>
  isPercentage ? same('%') : (UNITS[unit] ?? same(''));

export const ucumOf = (conversion: Conversion): string => unitOf(conversion).ucum;

const KINDS_BY_UNIT: Readonly<Record<string, SensorReading['kind']>> = {
  Cel: 'temperature',
  V: 'voltage',
  A: 'current',
  W: 'power',
  '{rev}/min': 'fan',
};
const KINDS_BY_TYPE: Readonly<Record<number, SensorReading['kind']>> = {
  1: 'temperature',
  2: 'voltage',
  3: 'current',
  4: 'fan',
};

/** By its unit: a fan that tells its power is a power sensor. */
export const kindOf = ({ sensorType, conversion }: SensorRecord): SensorReading['kind'] => {
  const byUnit = conversion === undefined ? undefined : KINDS_BY_UNIT[ucumOf(conversion)];
  return byUnit ?? KINDS_BY_TYPE[sensorType] ?? 'other';
};

/** Bits of Get Sensor Reading for thresholds that are passed (§35.14). */
const PASSED: readonly (readonly [number, SensorReading['health']])[] = [
  [0x24, 'critical'],
  [0x12, 'critical'],
  [0x09, 'warning'],
];

/** Of the comparison that the controller made itself. */
export const healthOfBits = (bits: number): SensorReading['health'] =>
  PASSED.find(([mask]) => (bits & mask) !== 0)?.[1] ?? 'ok';

const LEVELS: readonly (readonly [ThresholdLevel, SensorReading['health'], -1 | 1])[] = [
  ['upperNonRecoverable', 'critical', 1],
  ['lowerNonRecoverable', 'critical', -1],
  ['upperCritical', 'critical', 1],
  ['lowerCritical', 'critical', -1],
  ['upperNonCritical', 'warning', 1],
  ['lowerNonCritical', 'warning', -1],
];

/** Of a comparison of our own, where the controller left its out. Raw values compare as amounts. */
export const healthOfThresholds = (
  raw: number,
  conversion: Conversion,
): SensorReading['health'] => {
  const { format, thresholds } = conversion;
  const value = numberOf(raw, format);
  const passed = LEVELS.find(([level, , direction]) => {
    const limit = thresholds[level];
    return limit !== undefined && (value - numberOf(limit, format)) * direction >= 0;
  });
  return passed?.[1] ?? 'ok';
};
