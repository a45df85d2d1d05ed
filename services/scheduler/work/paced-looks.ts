/**
 * Searches that only look take the leader's processor from those who claim. They run one after the
 * other, callers in turn, in steps, and after each the leader is left alone for as long as it took:
 * whoever asks much waits longer himself, and decisions keep at least half of the time.
 */
import type { Clock } from '../../runtime/clock.ts';
import { createCallerTurns } from '../caller-turns.ts';
import { tooBusy } from './pending.ts';

export type PacedLooks = {
  /**
   * Errors: those of the steps; unavailable BUSY when too many wait, or too many of this caller;
   * the signal's reason.
   */
  readonly look: <T>(
    caller: string,
    begin: () => Iterator<void, T>,
    signal: AbortSignal,
  ) => Promise<T>;
};

const WAITING_MAX = 256;
/** Shorter looks need no rest. */
const REST_MS_MIN = 1;

export const createPacedLooks = (clock: Pick<Clock, 'monotonicMs' | 'sleep'>): PacedLooks => {
  const turns = createCallerTurns(WAITING_MAX);
  return {
    look: async (caller, begin, signal) => {
      if (turns.isFull(caller)) throw tooBusy(`${turns.size()} searches wait already`, 1_000);
      await turns.enter(caller, signal);
      let restMs = 0;
      try {
        for (const steps = begin(); ; ) {
          const step = timed(
            clock,
            () => steps.next(),
            (ms) => {
              restMs += ms;
            },
          );
          if (step.done === true) return step.value;
          if (restMs < REST_MS_MIN) continue;
          await clock.sleep(restMs, signal);
          restMs = 0;
        }
      } finally {
        if (restMs < REST_MS_MIN) turns.leave();
        else void clock.sleep(restMs).then(turns.leave, turns.leave);
      }
    },
  };
};

const timed = <T>(
  clock: Pick<Clock, 'monotonicMs'>,
  act: () => T,
  took: (ms: number) => void,
): T => {
  const startMs = clock.monotonicMs();
  try {
    return act();
  } finally {
    took(clock.monotonicMs() - startMs);
  }
};
