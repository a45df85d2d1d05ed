/**
 * Searches that only look take the leader's processor from those who claim. They run one after the
 * other, callers in turn, and after each the leader is left alone for as long as it took: whoever
 * asks much waits longer himself, and decisions keep at least half of the time.
 */
import type { Clock } from '../../runtime/clock.ts';
import { createCallerTurns } from '../caller-turns.ts';
import { tooBusy } from './pending.ts';

export type PacedLooks = {
  /**
   * Errors: those of `look`; unavailable BUSY when too many wait, or too many of this caller.
   */
  readonly look: <T>(caller: string, look: () => T, signal: AbortSignal) => Promise<T>;
};

const WAITING_MAX = 256;
/** Shorter looks need no rest. */
const REST_MS_MIN = 1;

export const createPacedLooks = (clock: Pick<Clock, 'monotonicMs' | 'sleep'>): PacedLooks => {
  const turns = createCallerTurns(WAITING_MAX);
  return {
    look: async (caller, look, signal) => {
      if (turns.isFull(caller)) throw tooBusy(`${turns.size()} searches wait already`, 1_000);
      await turns.enter(caller, signal);
      const startMs = clock.monotonicMs();
      try {
        return look();
      } finally {
        const restMs = clock.monotonicMs() - startMs;
        if (restMs < REST_MS_MIN) turns.leave();
        else void clock.sleep(restMs).then(turns.leave, turns.leave);
      }
    },
  };
};
