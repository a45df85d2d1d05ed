/** The watchdog timer (IPMI 2.0 §27): an operating system that no longer restarts it is helped. */
import { type Clock, OVER } from '../../../services/runtime/clock.ts';
import type { LabPowerChange, LabServer } from '../server-port.ts';

export type WatchdogSettings = {
  /** As it is set and shown: bits 2:0 say who uses it. */
  readonly use: number;
  /** Bits 2:0: none, hard reset, power down, power cycle. */
  readonly action: number;
  readonly preTimeoutSeconds: number;
  readonly initialMs: number;
};

export type Watchdog = {
  /** Undefined: nobody ever set it. */
  readonly settings: () => WatchdogSettings | undefined;
  readonly set: (settings: WatchdogSettings, clearedFlags: number) => void;
  /** From the beginning; false: it was never set. */
  readonly restart: () => boolean;
  /** Milliseconds until it expires; undefined: it does not run. */
  readonly leftMs: () => number | undefined;
  /** A bit for each use in which it expired. */
  readonly expired: () => number;
  readonly stop: () => void;
};

const ACTIONS: Readonly<Record<number, LabPowerChange>> = { 1: 'reset', 2: 'off', 3: 'cycle' };
const KEEPS_RUNNING = 0x40;

type Deps = { readonly clock: Clock; readonly server: LabServer };

export const createWatchdog = ({ clock, server }: Deps): Watchdog => {
  let settings: WatchdogSettings | undefined;
  let expired = 0;
  let running: { readonly endMs: number; readonly ended: AbortController } | undefined;

  const stop = (): void => {
    running?.ended.abort(OVER);
    running = undefined;
  };
  const expire = async ({ use, action }: WatchdogSettings): Promise<void> => {
    expired |= 1 << (use & 0x07);
    server.addLog({ severity: 'warning', message: 'The watchdog timer expired' });
    const change = ACTIONS[action & 0x07];
    // Of a server that is off there is nothing to help.
    if (change !== undefined && server.power() !== 'off') await server.changePower(change);
  };
  const run = async (set: WatchdogSettings): Promise<void> => {
    const ended = new AbortController();
    const mine = { endMs: clock.monotonicMs() + set.initialMs, ended };
    running = mine;
    await clock.sleep(set.initialMs, ended.signal).catch(() => undefined);
    if (running !== mine) return;
    running = undefined;
    await expire(set).catch(() => undefined);
  };
  const restart = (): boolean => {
    if (settings === undefined) return false;
    stop();
    void run(settings);
    return true;
  };

  return {
    restart,
    stop,
    settings: () => settings,
    expired: () => expired,
    leftMs: () =>
      running === undefined ? undefined : Math.max(running.endMs - clock.monotonicMs(), 0),
    set: (next, clearedFlags) => {
      const goesOn = running !== undefined && (next.use & KEEPS_RUNNING) !== 0;
      stop();
      settings = next;
      expired &= ~clearedFlags;
      if (goesOn) restart();
    },
  };
};
