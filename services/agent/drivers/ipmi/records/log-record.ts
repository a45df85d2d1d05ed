/** Records of the system event log, made readable (IPMI 2.0 §32). */
import type { LogEntry } from '../../../bmc-port.ts';
import { meaningOf, sensorTypeName } from './event-meaning.ts';
import type { SensorRecord } from './sensor-record.ts';

export const LOG_RECORD_BYTES = 16;
const SYSTEM_EVENT = 0x02;
const OEM_TIMESTAMPED = 0xc0;
const OEM_PLAIN = 0xe0;
const DEASSERTION = 0x80;
/** Up to here seconds count from its start, because nobody has set its clock (§37.1). */
const UNSET_CLOCK_MAX = 0x2000_0000;
const NO_TIME = 0xffff_ffff;

/** Undefined for fewer bytes than a record has. `sensorNames` is by owner and number. */
export const decodeLogRecord = (
  record: Buffer,
  sensors: ReadonlyMap<string, SensorRecord>,
): LogEntry | undefined => {
  if (record.length < LOG_RECORD_BYTES) return undefined;
  const id = String(record.readUInt16LE(0));
  const type = record.readUInt8(2);
  const at = type < OEM_PLAIN ? timeOf(record.readUInt32LE(3)) : undefined;
  const told = type === SYSTEM_EVENT ? eventOf(record, sensors) : oemEvent(type, record);
  return { id, ...(at === undefined ? {} : { at }), ...told };
};

export const sensorKey = (owner: number, number: number): string => `${owner}/${number}`;

const timeOf = (seconds: number): Date | undefined =>
  seconds <= UNSET_CLOCK_MAX || seconds === NO_TIME ? undefined : new Date(seconds * 1_000);

type Told = Pick<LogEntry, 'severity' | 'message'>;

const eventOf = (record: Buffer, sensors: ReadonlyMap<string, SensorRecord>): Told => {
  const owner = record.readUInt8(7);
  const sensorType = record.readUInt8(10);
  const number = record.readUInt8(11);
  const direction = record.readUInt8(12);
  const eventType = direction & 0x7f;
  const offset = record.readUInt8(13) & 0x0f;
  const name = sensors.get(sensorKey(owner, number))?.name ?? `sensor ${number}`;
  const meaning = meaningOf(eventType, sensorType, offset);
  const text = meaning?.text ?? `event ${record.toString('hex', 12, 16)}`;
  const isOver = (direction & DEASSERTION) !== 0;
  return {
    severity: isOver ? 'ok' : (meaning?.severity ?? 'warning'),
    message: `${name} (${sensorTypeName(sensorType)}): ${text}${isOver ? ', over' : ''}`,
  };
};

/** What the numbers mean only the vendor knows. */
const oemEvent = (type: number, record: Buffer): Told => {
  const isTimestamped = type >= OEM_TIMESTAMPED && type < OEM_PLAIN;
  const vendor = isTimestamped ? ` of manufacturer ${record.readUIntLE(7, 3)}` : '';
  const data = record.toString('hex', isTimestamped ? 10 : 3);
  const hex = type.toString(16).padStart(2, '0');
  return { severity: 'ok', message: `OEM record ${hex}h${vendor}: ${data}` };
};
