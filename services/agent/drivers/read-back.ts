import type { Clock } from '../../runtime/clock.ts';
import { BmcError } from '../bmc-port.ts';

/** What was written is read until it is seen; a controller that said yes is not believed before. */

export type ReadBack<T> = {
  /** What was set, for the message: "power on". */
  readonly what: string;
  readonly read: () => Promise<T>;
  readonly isSo: (seen: T) => boolean;
  /** What was seen, for the message. */
  readonly tell: (seen: T) => string;
};

/** How long a controller gets until what it took is also seen there. */
export type Settling = { readonly clock: Clock; readonly settleMs: number };

const PAUSE_MS_FIRST = 100;
const PAUSE_MS_MAX = 2_000;

export const seen = async <T>(
  { clock, settleMs }: Settling,
  { what, read, isSo, tell }: ReadBack<T>,
  signal: AbortSignal,
): Promise<void> => {
  const endMs = clock.monotonicMs() + settleMs;
  for (let pauseMs = PAUSE_MS_FIRST; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    const last = await read();
    if (isSo(last)) return;
    const leftMs = endMs - clock.monotonicMs();
    const isOver = leftMs <= 0 || !(await slept(clock.sleep(Math.min(pauseMs, leftMs), signal)));
    if (!isOver) continue;
    throw new BmcError(
      'not_applied',
      `The BMC took ${what} and ${Math.round(settleMs / 1000)} s later says ${tell(last)}`,
    );
  }
};

const slept = (sleep: Promise<void>): Promise<boolean> =>
  sleep.then(
    () => true,
    () => false,
  );
