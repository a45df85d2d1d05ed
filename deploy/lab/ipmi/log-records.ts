/**
 * The system event log. Its records have no room for text, so an entry shows as a change of the
 * health sensor to the severity that it has (IPMI 2.0 §32.1, table 42-2).
 */
import type { LabLogEntry } from '../server-port.ts';
import type { ControllerState } from './command.ts';
import { HEALTH_SENSOR, HEALTH_SENSOR_TYPE, SEVERITY_EVENT_TYPE } from './sensor-records.ts';

const GENERATOR = 0x20;
const EVENT_REVISION = 0x04;
const OFFSETS: Readonly<Record<LabLogEntry['severity'], number>> = {
  ok: 0,
  warning: 1,
  critical: 2,
};

export const LOG_RECORD_BYTES = 16;

/** 1 … FFFEh; 0 and FFFFh mean "first" and "last". */
export const recordIdOf = ({ id }: LabLogEntry): number => ((id - 1) % 0xfffe) + 1;

export const logRecord = (
  entry: LabLogEntry,
  { personality, selClockAheadMs }: Pick<ControllerState, 'personality' | 'selClockAheadMs'>,
): Buffer => {
  const record = Buffer.alloc(LOG_RECORD_BYTES);
  record.writeUInt16LE(recordIdOf(entry), 0);
  record[2] = personality.logRecordType;
  record.writeUInt32LE(secondsOf(entry.at, selClockAheadMs), 3);
  record.writeUInt16LE(GENERATOR, 7);
  record.set([EVENT_REVISION, HEALTH_SENSOR_TYPE, HEALTH_SENSOR, SEVERITY_EVENT_TYPE], 9);
  record.set([OFFSETS[entry.severity], 0xff, 0xff], 13);
  return record;
};

export const secondsOf = (at: Date, aheadMs: number): number =>
  Math.floor((at.getTime() + aheadMs) / 1_000) >>> 0;
