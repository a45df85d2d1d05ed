/** Chassis power (IPMI 2.0 §28.2, §28.3). */
import {
  BmcError,
  type PowerAspect,
  type PowerChange,
  type PowerReading,
} from '../../../bmc-port.ts';
import { seen } from '../../read-back.ts';
import { type Link, withDeadline } from '../session/link.ts';
import type { Place } from './place.ts';

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

const REFUSALS: ReadonlySet<string> = new Set(['refused', 'unsupported']);

const WHAT: Readonly<Record<PowerChange, string>> = {
  on: 'to switch the server on',
  off: 'to switch the server off',
  cycle: 'to power cycle the server',
  reset: 'to reset the server',
  soft_off: 'to ask the operating system to power off',
};

export type PowerPlace = Pick<Place, 'clock' | 'settleMs'> & {
  readonly link: Pick<Link, 'provider' | 'call'>;
};

export const createPowerAspect = (place: PowerPlace): PowerAspect => {
  const { link } = place;
  const { provider } = link;
  const read = async (signal: AbortSignal): Promise<PowerReading> => {
    const status = await link.call(GET_CHASSIS_STATUS, 'to tell its power state', signal);
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

  const turn = async (wanted: 'on' | 'off', signal: AbortSignal): Promise<void> => {
    try {
      await send(wanted, signal);
    } catch (error) {
      // Some refuse to switch on what is on.
      const isRefused = error instanceof BmcError && error.fault === 'refused';
      if (isRefused && (await read(signal)) === wanted) return;
      throw error;
    }
    const isSo = (now: PowerReading): boolean => now === wanted;
    const readBack = { what: `power ${wanted}`, read: () => read(signal), isSo, tell: String };
    await seen(place, readBack, signal);
  };

  /** Optional (§28.3), and some do not have it (VirtualBMC); nothing has happened then. */
  const cycle = async (signal: AbortSignal): Promise<void> => {
    try {
      await send('cycle', signal);
    } catch (error) {
      const isRefused = error instanceof BmcError && REFUSALS.has(error.fault);
      if (!isRefused) throw error;
      await turn('off', signal);
      await turn('on', signal);
    }
  };

  const change = async (wanted: PowerChange, signal: AbortSignal): Promise<void> => {
    if (wanted === 'on' || wanted === 'off') return turn(wanted, signal);
    const isOff = (await read(signal)) === 'off';
    // §28.3 leaves it open what these do when it is off.
    if (isOff && wanted === 'cycle') return turn('on', signal);
    if (isOff && wanted === 'soft_off') return;
    if (isOff) throw new BmcError('refused', `Cannot reset provider "${provider}": it is off`);
    if (wanted === 'cycle') return cycle(signal);
    await send(wanted, signal);
  };

  return {
    read,
    change: (wanted, signal) => withDeadline({ provider, signal }, () => change(wanted, signal)),
  };
};
