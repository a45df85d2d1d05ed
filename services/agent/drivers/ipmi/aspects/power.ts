/** Chassis power (IPMI 2.0 §28.2, §28.3). */
import type { Clock } from '../../../../runtime/clock.ts';
import {
  BmcError,
  type PowerAspect,
  type PowerChange,
  type PowerReading,
} from '../../../bmc-port.ts';
import { type Link, withDeadline } from '../session/link.ts';

export const GET_CHASSIS_STATUS = { netFn: 0x00, command: 0x01, data: Buffer.alloc(0) } as const;
const CHASSIS_CONTROL = { netFn: 0x00, command: 0x02 } as const;
const POWER_IS_ON = 0x01;

const CONTROL: Readonly<Record<PowerChange, number>> = {
  off: 0x00,
  on: 0x01,
  cycle: 0x02,
  reset: 0x03,
  soft_off: 0x05,
};

const WHAT: Readonly<Record<PowerChange, string>> = {
  on: 'to switch the server on',
  off: 'to switch the server off',
  cycle: 'to power cycle the server',
  reset: 'to reset the server',
  soft_off: 'to ask the operating system to power off',
};

/** How long a supply may take; some report the old state for several seconds. */
const SEEN_LIMIT_MS = 60_000;
const LOOK_MS_FIRST = 100;
const LOOK_MS_MAX = 2_000;

export type PowerDeps = { readonly clock: Clock; readonly link: Link };

export const createPowerAspect = ({ clock, link }: PowerDeps): PowerAspect => {
  const read = async (signal: AbortSignal): Promise<PowerReading> => {
    const status = await link.call(GET_CHASSIS_STATUS, 'its power state', signal);
    const first = status[0];
    if (first === undefined) return 'unknown';
    return (first & POWER_IS_ON) === 0 ? 'off' : 'on';
  };

  /** On and off may be sent twice, the others must not. */
  const send = (change: PowerChange, signal: AbortSignal): Promise<Buffer> => {
    const once = change !== 'on' && change !== 'off';
    const data = Buffer.from([CONTROL[change]]);
    return link.call({ ...CHASSIS_CONTROL, data, once }, WHAT[change], signal);
  };

  const untilSeen = async (wanted: 'on' | 'off', signal: AbortSignal): Promise<void> => {
    const endMs = clock.monotonicMs() + SEEN_LIMIT_MS;
    let lookMs = LOOK_MS_FIRST;
    while ((await read(signal)) !== wanted) {
      if (clock.monotonicMs() > endMs) {
        const message = `Controller of provider "${link.provider}" agreed, but it is not ${wanted}`;
        throw new BmcError('not_applied', message);
      }
      await clock.sleep(lookMs, signal);
      lookMs = Math.min(lookMs * 2, LOOK_MS_MAX);
    }
  };

  const turn = async (wanted: 'on' | 'off', signal: AbortSignal): Promise<void> => {
    try {
      await send(wanted, signal);
    } catch (error) {
      // Some refuse to switch on what is on.
      const isRefused = error instanceof BmcError && error.fault === 'refused';
      if (isRefused && (await read(signal)) === wanted) return;
      throw error;
    }
    await untilSeen(wanted, signal);
  };

  const change = async (wanted: PowerChange, signal: AbortSignal): Promise<void> => {
    if (wanted === 'on' || wanted === 'off') return turn(wanted, signal);
    const isOff = (await read(signal)) === 'off';
    // §28.3 leaves it open what these do when it is off.
    if (isOff && wanted === 'cycle') return turn('on', signal);
    if (isOff && wanted === 'soft_off') return;
    if (isOff) throw new BmcError('refused', `Cannot reset provider "${link.provider}": it is off`);
    await send(wanted, signal);
  };

  const { provider } = link;
  return {
    read,
    change: (wanted, signal) => withDeadline({ provider, signal }, () => change(wanted, signal)),
  };
};
