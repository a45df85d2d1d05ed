/** Network function 0Ah: inventory, sensor records and log (IPMI 2.0 §31, §33, §34). */

import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import type { LabLogEntry } from '../server-port.ts';
import {
  type Command,
  type CommandAnswer,
  type CommandContext,
  type ControllerState,
  commands,
  failed,
  LEVEL,
  ok,
  uint16,
  uint32,
} from './command.ts';
import { LOG_RECORD_BYTES, logRecord, recordIdOf, secondsOf } from './log-records.ts';
import { sensorRecords } from './sensor-records.ts';

/** As many bytes as small controllers give at once, so that clients have to ask in parts. */
const READ_BYTES_MAX = 34;
const FIRST = 0x0000;
const LAST = 0xffff;
const FREE_BYTES = 0x4000;
const VERSION = 0x51;

const fruInfo = (data: Buffer, { state }: CommandContext): CommandAnswer =>
  data[0] === 0 ? ok(uint16(state.fru.length), 0) : failed(CODE.notPresent);

const readFru = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 4) return failed(CODE.wrongLength);
  if (data[0] !== 0) return failed(CODE.notPresent);
  const offset = data.readUInt16LE(1);
  const count = Math.min(data.readUInt8(3), READ_BYTES_MAX);
  if (offset >= state.fru.length) return failed(CODE.outOfRange);
  const bytes = state.fru.subarray(offset, offset + count);
  return ok(bytes.length, bytes);
};

const recordsOf = (state: ControllerState): readonly Buffer[] =>
  sensorRecords(state.server.sensors(), state.personality);

const sdrInfo = (_: Buffer, { state }: CommandContext): CommandAnswer =>
  // It never changes, and reservations are needed.
  ok(VERSION, uint16(recordsOf(state).length), uint16(FREE_BYTES), uint32(1), uint32(0), 0x22);

const newReservation = (before: number): number => (before % 0xfffe) + 1;

const reserveSdr = (_: Buffer, { state }: CommandContext): CommandAnswer => {
  state.sdrReservation = newReservation(state.sdrReservation);
  return ok(uint16(state.sdrReservation));
};

const getSdr = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 6) return failed(CODE.wrongLength);
  const [reservation, id] = [data.readUInt16LE(0), data.readUInt16LE(2)];
  const [offset, count] = [data.readUInt8(4), data.readUInt8(5)];
  const records = recordsOf(state);
  const index = id === FIRST ? 0 : id === LAST ? records.length - 1 : id - 1;
  const record = records[index];
  if (record === undefined) return failed(CODE.notPresent);
  if (offset > 0 && reservation !== state.sdrReservation) return failed(CODE.reservationLost);
  const wanted = count === 0xff ? record.length - offset : count;
  if (wanted > READ_BYTES_MAX) return failed(CODE.cannotReturnThatMany);
  if (offset >= record.length) return failed(CODE.outOfRange);
  const next = index + 1 < records.length ? index + 2 : LAST;
  return ok(uint16(next), record.subarray(offset, offset + wanted));
};

const selInfo = (_: Buffer, { state }: CommandContext): CommandAnswer => {
  const entries = state.server.log();
  const newest = entries.at(-1);
  const added = newest === undefined ? 0xffffffff : secondsOf(newest.at, state.selClockAheadMs);
  return ok(VERSION, uint16(entries.length), uint16(FREE_BYTES), uint32(added), uint32(0), 0x02);
};

const reserveSel = (_: Buffer, { state }: CommandContext): CommandAnswer => {
  state.selReservation = newReservation(state.selReservation);
  return ok(uint16(state.selReservation));
};

const getSel = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 6) return failed(CODE.wrongLength);
  const [reservation, id] = [data.readUInt16LE(0), data.readUInt16LE(2)];
  const [offset, count] = [data.readUInt8(4), data.readUInt8(5)];
  const entries = state.server.log();
  const index = indexOf(entries, id);
  const entry = entries[index];
  if (entry === undefined) return failed(CODE.notPresent);
  if (offset > 0 && reservation !== state.selReservation) return failed(CODE.reservationLost);
  const after = entries[index + 1];
  const end = count === 0xff ? LOG_RECORD_BYTES : offset + count;
  const record = logRecord(entry, state).subarray(offset, end);
  return ok(uint16(after === undefined ? LAST : recordIdOf(after)), record);
};

const indexOf = (entries: readonly LabLogEntry[], id: number): number => {
  if (id === FIRST) return 0;
  if (id === LAST) return entries.length - 1;
  return entries.findIndex((entry) => recordIdOf(entry) === id);
};

const CLEAR = 'CLR';
const ERASURE_DONE = 0x01;

const clearSel = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 6) return failed(CODE.wrongLength);
  if (data.readUInt16LE(0) !== state.selReservation) return failed(CODE.reservationLost);
  if (data.toString('latin1', 2, 5) !== CLEAR) return failed(CODE.invalidField);
  if (data[5] === 0xaa) state.server.clearLog();
  return ok(ERASURE_DONE);
};

const time = (_: Buffer, { state }: CommandContext): CommandAnswer =>
  ok(uint32(secondsOf(state.clock.now(), state.selClockAheadMs)));

const setTime = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 4) return failed(CODE.wrongLength);
  state.selClockAheadMs = data.readUInt32LE(0) * 1_000 - state.clock.now().getTime();
  return ok();
};

const table: Readonly<Record<number, Command>> = {
  16: { privilege: LEVEL.user, run: fruInfo },
  17: { privilege: LEVEL.user, run: readFru },
  32: { privilege: LEVEL.user, run: sdrInfo },
  34: { privilege: LEVEL.user, run: reserveSdr },
  35: { privilege: LEVEL.user, run: getSdr },
  40: { privilege: LEVEL.user, run: time },
  64: { privilege: LEVEL.user, run: selInfo },
  66: { privilege: LEVEL.user, run: reserveSel },
  67: { privilege: LEVEL.user, run: getSel },
  71: { privilege: LEVEL.operator, run: clearSel },
  72: { privilege: LEVEL.user, run: time },
  73: { privilege: LEVEL.operator, run: setTime },
};

export const STORAGE_COMMANDS = commands(0x0a, table);
