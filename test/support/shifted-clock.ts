import { type Clock, systemClock } from '../../services/runtime/clock.ts';

/** The real clock, moved ahead by a test: records age, timers do not. */
export type ShiftedClock = Clock & { readonly shift: (ms: number) => void };

export const shiftedClock = (): ShiftedClock => {
  let byMs = 0;
  return {
    ...systemClock,
    now: () => new Date(systemClock.now().getTime() + byMs),
    monotonicMs: () => systemClock.monotonicMs() + byMs,
    shift: (ms) => {
      byMs += ms;
    },
  };
};
