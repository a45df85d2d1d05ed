/**
 * Sensor data records (IPMI 2.0 §43): what a sensor is called, what kind it is and how its one byte
 * becomes an amount. Full and compact records; others describe no sensor that can be read.
 */
export type SensorRecord = {
  readonly owner: number;
  readonly lun: number;
  readonly number: number;
  readonly name: string;
  readonly sensorType: number;
  readonly eventType: number;
  /** Undefined: it has no amount. Sensors with states should have none, and some have one. */
  readonly conversion: Conversion | undefined;
};

export type Conversion = {
  readonly format: 'unsigned' | 'ones_complement' | 'twos_complement';
  readonly isPercentage: boolean;
  /** Table 43-15. */
  readonly unit: number;
  /** Bits 6:0 of byte 24: which function is applied last; from 70h on the factors depend on it. */
  readonly linearization: number;
  readonly factors: Factors;
  /** Raw, in the sensor's format; undefined where the sensor has none. */
  readonly thresholds: Thresholds;
};

/** y = L[(m·x + b·10^bExponent) · 10^resultExponent] (§36.3). */
export type Factors = {
  readonly m: number;
  readonly b: number;
  readonly bExponent: number;
  readonly resultExponent: number;
};

export type Thresholds = {
  readonly [Level in ThresholdLevel]?: number;
};
export type ThresholdLevel =
  | 'lowerNonCritical'
  | 'lowerCritical'
  | 'lowerNonRecoverable'
  | 'upperNonCritical'
  | 'upperCritical'
  | 'upperNonRecoverable';

export const RECORD_HEADER_BYTES = 5;
export const THRESHOLD_EVENT_TYPE = 0x01;
export const NONLINEAR = 0x70;
const FULL = 0x01;
const COMPACT = 0x02;
const FULL_NAME_AT = 47;
const COMPACT_NAME_AT = 31;
/** One record may stand for as many sensors that are alike. */
const SHARED_MAX = 15;

/** How many bytes follow the header of a record, from the header itself. */
export const bodyBytesOf = (header: Buffer): number => header[4] ?? 0;

/** None for a record that describes no readable sensor, or is cut off. */
export const decodeSensorRecord = (record: Buffer): readonly SensorRecord[] => {
  switch (record[3]) {
    case FULL:
      return record.length > FULL_NAME_AT ? [fullRecord(record)] : [];
    case COMPACT:
      return record.length > COMPACT_NAME_AT ? compactRecords(record) : [];
    default:
      return [];
  }
};

const commonOf = (record: Buffer) => ({
  owner: record.readUInt8(5),
  lun: record.readUInt8(6) & 0x03,
  number: record.readUInt8(7),
  sensorType: record.readUInt8(12),
  eventType: record.readUInt8(13) & 0x7f,
});

const fullRecord = (record: Buffer): SensorRecord => {
  const common = commonOf(record);
  const units = record.readUInt8(20);
  const format = FORMATS[units >> 6];
  return {
    ...common,
    name: typedText(record, FULL_NAME_AT),
    conversion:
      format !== undefined
        ? {
            format,
            isPercentage: (units & 1) === 1,
            unit: record.readUInt8(21),
            linearization: record.readUInt8(23) & 0x7f,
            factors: decodeFactors(record.subarray(24, 30)),
            thresholds: thresholdsOf(record),
          }
        : undefined,
  };
};

const FORMATS: Readonly<Record<number, Conversion['format']>> = {
  0: 'unsigned',
  1: 'ones_complement',
  2: 'twos_complement',
};

/** Six bytes: m, m and tolerance, b, b and accuracy, accuracy, exponents. */
export const decodeFactors = (bytes: Buffer): Factors => ({
  m: signed(bytes.readUInt8(0) | ((bytes.readUInt8(1) & 0xc0) << 2), 10),
  b: signed(bytes.readUInt8(2) | ((bytes.readUInt8(3) & 0xc0) << 2), 10),
  resultExponent: signed(bytes.readUInt8(5) >> 4, 4),
  bExponent: signed(bytes.readUInt8(5) & 0x0f, 4),
});

const THRESHOLDS: readonly (readonly [ThresholdLevel, number, number])[] = [
  // Name, bit in the mask of readable ones (byte 19), place in the record.
  ['lowerNonCritical', 0x01, 41],
  ['lowerCritical', 0x02, 40],
  ['lowerNonRecoverable', 0x04, 39],
  ['upperNonCritical', 0x08, 38],
  ['upperCritical', 0x10, 37],
  ['upperNonRecoverable', 0x20, 36],
];

const thresholdsOf = (record: Buffer): Thresholds => {
  const mask = record.readUInt8(18);
  const found = THRESHOLDS.filter(([, bit]) => (mask & bit) !== 0);
  return Object.fromEntries(found.map(([level, , at]) => [level, record.readUInt8(at)]));
};

const compactRecords = (record: Buffer): readonly SensorRecord[] => {
  const common = commonOf(record);
  const sharing = record.readUInt8(23);
  const count = Math.max(1, Math.min(sharing & 0x0f, SHARED_MAX));
  const name = typedText(record, COMPACT_NAME_AT);
  const isLettered = ((sharing >> 4) & 0x03) === 1;
  const first = record.readUInt8(24) & 0x7f;
  return Array.from({ length: count }, (_, index) => ({
    ...common,
    number: (common.number + index) & 0xff,
    name: count === 1 ? name : `${name}${suffixOf(first + index, isLettered)}`,
    conversion: undefined,
  }));
};

/** Numbers, or letters as columns of a table have them. */
const suffixOf = (offset: number, isLettered: boolean): string => {
  if (!isLettered) return String(offset);
  const low = String.fromCharCode(65 + (offset % 26));
  return offset < 26 ? low : `${String.fromCharCode(64 + Math.floor(offset / 26))}${low}`;
};

/** Type and length in one byte, then the text (§43.15). */
export const typedText = (bytes: Buffer, at: number): string => {
  const typeAndLength = bytes[at] ?? 0;
  const length = typeAndLength & (bytes.length > at ? 0x1f : 0);
  return decodeText(typeAndLength >> 6, bytes.subarray(at + 1, at + 1 + length));
};

const BCD_PLUS = '0123456789 -.:,_';

/** 0: UTF-8 or nothing known, 1: BCD plus, 2: six-bit ASCII, 3: Latin-1 (§43.15, FRU §13). */
export const decodeText = (type: number, bytes: Buffer): string => {
  const plain = (): string => bytes.toString(type === 0 ? 'utf8' : 'latin1');
  const text = type === 1 ? bcdText(bytes) : type === 2 ? sixBitText(bytes) : plain();
  // What is printed goes to terminals and logs.
  return text.replaceAll(/[\p{Cc}\ufffd]/gu, '').trim();
};

const bcdText = (bytes: Buffer): string =>
  [...bytes].map((byte) => `${BCD_PLUS[byte >> 4]}${BCD_PLUS[byte & 0x0f]}`).join('');

const sixBitText = (bytes: Buffer): string => {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held |= byte << bits;
    bits += 8;
    while (bits >= 6) {
      text += String.fromCharCode(0x20 + (held & 0x3f));
      held >>= 6;
      bits -= 6;
    }
  }
  return text;
};

/** Two's complement in so many bits. */
export const signed = (value: number, bits: number): number =>
  value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
