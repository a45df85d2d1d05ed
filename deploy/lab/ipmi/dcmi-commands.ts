/** Network function 2Ch, group DCh: what data centres ask of any server (DCMI 1.5 §6). */
import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import type { LabSensor } from '../server-port.ts';
import { CHANNEL } from './app-commands.ts';
import {
  type Command,
  type CommandAnswer,
  type CommandContext,
  commands,
  failed,
  LEVEL,
  ok,
  uint16,
  uint32,
} from './command.ts';

const GROUP = 0xdc;
const VERSION = [0x01, 0x05];
const PARAMETER_REVISION = 0x02;
const NO_CHANNEL = 0xff;
const LOG_ENTRIES = 500;
const WRAPS = 0x8000;
const CONTROLLER_ADDRESS = 0x20;

/** Tables 6-3 to 6-7. */
const CAPABILITIES: Readonly<Record<number, readonly number[]>> = {
  // Power is measured; there is a channel in the machine itself.
  1: [0x00, 0x01, 0x01],
  // The log wraps; temperatures are read once a second.
  2: [...uint16(WRAPS | LOG_ENTRIES), 0, 0, 1],
  3: [CONTROLLER_ADDRESS, 0x00],
  4: [CHANNEL, NO_CHANNEL, NO_CHANNEL],
  // No averages over longer times.
  5: [0],
};

const capabilities = (data: Buffer): CommandAnswer => {
  const found = CAPABILITIES[data[1] ?? 0];
  if (found === undefined) return failed(CODE.invalidField);
  return ok(GROUP, ...VERSION, PARAMETER_REVISION, Buffer.from(found));
};

const SYSTEM_POWER = 0x01;
const MEASURED = 0x40;
const PERIOD_MS = 1_000;

/** §6.6.1: of the last second, in which it was always the same. */
const powerReading = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data[1] !== SYSTEM_POWER) return failed(CODE.invalidField);
  const supplies = state.server.sensors().filter(({ kind }) => kind === 'power');
  const watts = uint16(Math.round(supplies.reduce((sum, { value }) => sum + value, 0)));
  const seconds = Math.floor((state.clock.now().getTime() + state.selClockAheadMs) / 1_000);
  return ok(GROUP, watts, watts, watts, watts, uint32(seconds), uint32(PERIOD_MS), MEASURED);
};

/** §6.6.2: nobody limits the power of a server here; all its fields are 0. */
const NO_LIMIT: CommandAnswer = {
  code: 0x80,
  data: Buffer.concat([Buffer.from([GROUP]), Buffer.alloc(13)]),
};

const TEMPERATURE = 0x01;
/** Table 6-24, by what a sensor's name begins with. */
const PLACES: Readonly<Record<number, RegExp>> = { 64: /^inlet/i, 65: /^cpu/i, 66: /^board/i };
const ANSWERED_MAX = 8;

/** `index` among all sensors, `instance` at its place, from 1. */
type Found = { readonly sensor: LabSensor; readonly index: number; readonly instance: number };

/** Temperature sensors at one place: all of them, or one of them (§6.5.2, §6.7.3). */
const temperatures =
  (bytesOf: (found: Found) => readonly number[]): Command['run'] =>
  (data, { state }) => {
    const [, type, place = 0, instance = 0, start = 0] = data;
    const pattern = PLACES[place];
    if (type !== TEMPERATURE || pattern === undefined) return failed(CODE.invalidField);
    const all = state.server
      .sensors()
      .map((sensor, index) => ({ sensor, index }))
      .filter(({ sensor: { kind, name } }) => kind === 'temperature' && pattern.test(name))
      .map((one, at) => ({ ...one, instance: at + 1 }));
    const isOne = instance !== 0;
    const from = Math.max((isOne ? instance : start) - 1, 0);
    const wanted = all.slice(from, from + (isOne ? 1 : ANSWERED_MAX));
    return ok(GROUP, all.length, wanted.length, Buffer.from(wanted.flatMap(bytesOf)));
  };

/** Ids of records count from 1, in the order of the sensors. */
const recordOf = ({ index }: Found): readonly number[] => [...uint16(index + 1)];

const BELOW_ZERO = 0x80;

const readingOf = ({ sensor, instance }: Found): readonly number[] => {
  const degrees = Math.min(Math.abs(Math.round(sensor.value)), 127);
  return [degrees | (sensor.value < 0 ? BELOW_ZERO : 0), instance];
};

const PART_MAX = 16;

/** A text in parts (§6.4.2, §6.4.6). */
const textOf =
  (text: (context: CommandContext) => string, end: string): Command['run'] =>
  (data, context) => {
    const [offset = 0, count = 0] = [data[1], data[2]];
    const all = Buffer.from(`${text(context)}${end}`, 'latin1');
    if (count > PART_MAX) return failed(CODE.outOfRange);
    if (offset > all.length) return failed(CODE.outOfRange);
    return ok(GROUP, all.length, all.subarray(offset, offset + count));
  };

const nameOf = ({ state }: CommandContext): string => state.server.hardware.name.slice(0, 62);

const inGroup = (run: Command['run']): Command => ({
  privilege: LEVEL.user,
  run: (data, context) => (data[0] === GROUP ? run(data, context) : failed(CODE.invalidCommand)),
});

export const DCMI_COMMANDS = commands(0x2c, {
  1: inGroup(capabilities),
  2: inGroup(powerReading),
  3: inGroup(() => NO_LIMIT),
  6: inGroup(textOf(nameOf, '')),
  7: inGroup(temperatures(recordOf)),
  9: inGroup(textOf(nameOf, '\0')),
  16: inGroup(temperatures(readingOf)),
});
