/** Network function 04h: readings, thresholds and events (IPMI 2.0 §29, §35). */

import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import type { LabSensor } from '../server-port.ts';
import {
  type Command,
  type CommandAnswer,
  type CommandContext,
  commands,
  failed,
  LEVEL,
  ok,
} from './command.ts';
import { HEALTH_SENSOR, rawOf, scaleOf, sensorNumber } from './sensor-records.ts';

const ALL_ON = 0xc0;
const EVENTS_ON = 0x80;
const UPPER_CRITICAL = 0x10;

const sensorOf = (data: Buffer, { state }: CommandContext): LabSensor | undefined =>
  state.server.sensors().find((_, index) => sensorNumber(index) === data[0]);

const reading = (data: Buffer, context: CommandContext): CommandAnswer => {
  // State 0: all is well.
  if (data[0] === HEALTH_SENSOR) return ok(0, ALL_ON, 0x01, 0x00);
  const sensor = sensorOf(data, context);
  if (sensor === undefined) return failed(CODE.notPresent);
  const scale = scaleOf(sensor);
  const { scanningBit } = context.state.personality;
  const flags = scanningBit === 'right' ? ALL_ON : EVENTS_ON;
  const isOver = sensor.value >= sensor.upperCritical;
  return ok(rawOf(sensor.value, scale), flags, ALL_ON | (isOver ? UPPER_CRITICAL : 0));
};

const thresholds = (data: Buffer, context: CommandContext): CommandAnswer => {
  const sensor = sensorOf(data, context);
  if (sensor === undefined) return failed(CODE.notPresent);
  // Lower non-critical, critical, non-recoverable, then the upper ones.
  return ok(UPPER_CRITICAL, 0, 0, 0, 0, rawOf(sensor.upperCritical, scaleOf(sensor)), 0);
};

const hysteresis = (data: Buffer, context: CommandContext): CommandAnswer =>
  sensorOf(data, context) === undefined ? failed(CODE.notPresent) : ok(0, 0);

const eventEnable = (data: Buffer, context: CommandContext): CommandAnswer => {
  const known = data[0] === HEALTH_SENSOR || sensorOf(data, context) !== undefined;
  return known ? ok(ALL_ON, 0x00, 0x02, 0x00, 0x02) : failed(CODE.notPresent);
};

/** §29.3: somebody else's event, without a record of its own kind here. */
const platformEvent = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 7) return failed(CODE.wrongLength);
  const message = `Platform event ${data.subarray(0, 8).toString('hex')}`;
  state.server.addLog({ severity: 'ok', message });
  return ok();
};

const table: Readonly<Record<number, Command>> = {
  // Events are received here, and nowhere else.
  1: { privilege: LEVEL.user, run: () => ok(0x20, 0x00) },
  2: { privilege: LEVEL.operator, run: platformEvent },
  37: { privilege: LEVEL.user, run: hysteresis },
  39: { privilege: LEVEL.user, run: thresholds },
  41: { privilege: LEVEL.user, run: eventEnable },
  45: { privilege: LEVEL.user, run: reading },
};

export const SENSOR_COMMANDS = commands(0x04, table);
