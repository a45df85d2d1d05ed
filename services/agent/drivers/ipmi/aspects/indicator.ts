/** The chassis' identify light (IPMI 2.0 §28.2, §28.5). */
import type { IndicatorAspect } from '../../../bmc-port.ts';
import { seen } from '../../read-back.ts';
import { withDeadline } from '../session/link.ts';
import type { Place } from './place.ts';
import { GET_CHASSIS_STATUS } from './power.ts';

const IDENTIFY = { netFn: 0x00, command: 0x04 } as const;
const STATE_IS_TOLD = 0x40;
const STATE = 0x30;
/** No interval, but until it is put out. */
const ON = [0x00, 0x01];
const OFF = [0x00];

/** Whether a chassis status tells the light's state. */
export const tellsIndicator = (status: Buffer): boolean => ((status[2] ?? 0) & STATE_IS_TOLD) !== 0;

export const createIndicatorAspect = (place: Place): IndicatorAspect => {
  const { link } = place;
  const { provider } = link;
  const read = async (signal: AbortSignal): Promise<boolean> => {
    const status = await link.call(GET_CHASSIS_STATUS, 'to tell its light', signal);
    return ((status[2] ?? 0) & STATE) !== 0;
  };
  const set = async (lit: boolean, signal: AbortSignal): Promise<void> => {
    const asked = { ...IDENTIFY, data: Buffer.from(lit ? ON : OFF) };
    await link.call(asked, lit ? 'to light its light' : 'to put out its light', signal);
    const tell = (now: boolean): string => (now ? 'lit' : 'dark');
    const isSo = (now: boolean): boolean => now === lit;
    const readBack = { what: `the light ${tell(lit)}`, read: () => read(signal), isSo, tell };
    await seen(place, readBack, signal);
  };
  return {
    read,
    set: (lit, signal) => withDeadline({ provider, signal }, () => set(lit, signal)),
  };
};
