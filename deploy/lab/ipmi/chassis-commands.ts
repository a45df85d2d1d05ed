/** Network function 00h: power, identify, boot options (IPMI 2.0 §28). */

import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import { OVER } from '../../../services/runtime/clock.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import type { LabBoot, LabBootDevice, LabPowerChange } from '../server-port.ts';
import {
  type Command,
  type CommandAnswer,
  type CommandContext,
  type ControllerState,
  commands,
  failed,
  LEVEL,
  ok,
  UNKNOWN_PARAMETER,
} from './command.ts';

const CONTROL: Readonly<Record<number, LabPowerChange>> = {
  0: 'off',
  1: 'on',
  2: 'cycle',
  3: 'reset',
  4: 'nmi',
  5: 'soft_off',
};

const IDENTIFY_SECONDS = 15;
const FORCE_ON = 0x01;
/** Power restore policy, table 28-3: after an outage it is what it was before. */
const RESTORED = 0x20;
const POLICY = { restored: 1, asItIs: 3 } as const;
/** Table 28-8: which there are. */
const RESTORED_ONLY = 0x02;

const chassisStatus = (_: Buffer, { state }: CommandContext): CommandAnswer => {
  const power = state.server.power();
  // Until it is on, and until it is off, it is what it was.
  const isOn = power === 'on' || power === 'turning_off';
  const identify = indicatorBits(state);
  return ok(RESTORED | (isOn ? 0x01 : 0x00), 0x00, 0x40 | identify, 0x00);
};

/** Table 28-3: 01b for a while, 10b for good. */
const indicatorBits = (state: ControllerState): number => {
  if (!state.server.indicator()) return 0;
  return state.identifying === undefined ? 0x20 : 0x10;
};

const chassisControl = async (data: Buffer, { state }: CommandContext): Promise<CommandAnswer> => {
  const change = CONTROL[(data[0] ?? 0xff) & 0x0f];
  if (change === undefined) return failed(CODE.invalidField);
  try {
    await state.server.changePower(change);
    return ok();
  } catch (error) {
    if (!isDomainError(error, 'failed_precondition', 'SERVER_OFF')) throw error;
    return failed(CODE.notInThisState);
  }
};

const setRestorePolicy = (data: Buffer): CommandAnswer => {
  const policy = (data[0] ?? 0) & 0x07;
  const isKept = policy === POLICY.restored || policy === POLICY.asItIs;
  return isKept ? ok(RESTORED_ONLY) : failed(CODE.invalidField);
};

const identify = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const isForced = ((data[1] ?? 0) & FORCE_ON) !== 0;
  const seconds = isForced ? 0 : (data[0] ?? IDENTIFY_SECONDS);
  state.identifying?.abort(OVER);
  state.identifying = undefined;
  state.server.setIndicator(isForced || seconds > 0);
  if (!isForced && seconds > 0) void putOutAfter(state, seconds * 1_000);
  return ok();
};

const putOutAfter = async (state: ControllerState, ms: number): Promise<void> => {
  const identifying = new AbortController();
  state.identifying = identifying;
  await state.clock.sleep(ms, identifying.signal).catch(() => undefined);
  if (state.identifying !== identifying) return;
  state.identifying = undefined;
  state.server.setIndicator(false);
};

const PARAMETER = { setInProgress: 0, clearing: 3, acknowledge: 4, flags: 5 } as const;
const VALID = 0x80;
const PERSISTENT = 0x40;
const EFI = 0x20;
const ALREADY_IN_PROGRESS = 0x81;

const DEVICES: Readonly<Record<LabBootDevice, number>> = {
  none: 0,
  network: 1,
  disk: 2,
  cdrom: 5,
  setup: 6,
};

const deviceOf = (code: number): LabBootDevice | undefined => {
  const devices: readonly LabBootDevice[] = ['none', 'network', 'disk', 'cdrom', 'setup'];
  return devices.find((device) => DEVICES[device] === code);
};

const setBootOptions = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const parameter = (data[0] ?? 0) & 0x7f;
  const first = data[1] ?? 0;
  switch (parameter) {
    case PARAMETER.setInProgress: {
      const wanted = first & 0x03;
      if (wanted === 1 && state.bootSetInProgress === 1) return failed(ALREADY_IN_PROGRESS);
      state.bootSetInProgress = wanted === 1 ? 1 : 0;
      return ok();
    }
    case PARAMETER.clearing:
    case PARAMETER.acknowledge:
      return ok();
    case PARAMETER.flags: {
      const boot = bootOf(data.subarray(1));
      if (boot === undefined) return failed(CODE.invalidField);
      state.server.setBoot(boot);
      return ok();
    }
    default:
      return failed(UNKNOWN_PARAMETER);
  }
};

const bootOf = (flags: Buffer): LabBoot | undefined => {
  const [first = 0, second = 0] = flags;
  const device = deviceOf((second >> 2) & 0x0f);
  if (device === undefined) return undefined;
  const mode = (first & EFI) === 0 ? 'legacy' : 'uefi';
  if ((first & VALID) === 0) return { device: 'none', persistent: false, mode };
  return { device, persistent: (first & PERSISTENT) !== 0, mode };
};

const getBootOptions = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const parameter = (data[0] ?? 0) & 0x7f;
  const answer = (...bytes: readonly number[]): CommandAnswer =>
    ok(0x01, parameter, Buffer.from(bytes));
  switch (parameter) {
    case PARAMETER.setInProgress:
      return answer(state.bootSetInProgress);
    case PARAMETER.clearing:
      return answer(0);
    case PARAMETER.acknowledge:
      return answer(0, 0);
    case PARAMETER.flags:
      return answer(...flagsOf(state.server.boot()));
    default:
      return failed(UNKNOWN_PARAMETER);
  }
};

const flagsOf = ({ device, persistent, mode }: LabBoot): readonly number[] => {
  const valid = device === 'none' ? 0 : VALID;
  const first = valid | (persistent ? PERSISTENT : 0) | (mode === 'uefi' ? EFI : 0);
  return [first, DEVICES[device] << 2, 0, 0, 0];
};

const table: Readonly<Record<number, Command>> = {
  0: { privilege: LEVEL.user, run: () => ok(0, 0x20, 0x20, 0x20, 0x20) },
  1: { privilege: LEVEL.user, run: chassisStatus },
  2: { privilege: LEVEL.operator, run: chassisControl },
  4: { privilege: LEVEL.operator, run: identify },
  6: { privilege: LEVEL.operator, run: setRestorePolicy },
  // Restart cause: chassis control command.
  7: { privilege: LEVEL.user, run: () => ok(0x01, 0x00) },
  8: { privilege: LEVEL.operator, run: setBootOptions },
  9: { privilege: LEVEL.operator, run: getBootOptions },
};

export const CHASSIS_COMMANDS = commands(0x00, table);
