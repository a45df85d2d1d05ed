/**
 * Searches that only look take the leader's processor from those who claim. They run one after the
 * other, and after each the leader is left alone for as long as it took: whoever asks much waits
 * longer himself, and decisions keep at least half of the time.
 */
import type { Clock } from '../../runtime/clock.ts';
import { abortable } from '../../store/coordination/waiting.ts';
import { tooBusy } from './pending.ts';

export type PacedLooks = {
  /** Errors: those of `look`; unavailable BUSY when too many wait. */
  readonly look: <T>(look: () => T, signal: AbortSignal) => Promise<T>;
};

const WAITING_MAX = 256;
/** Shorter looks need no rest. */
const REST_MS_MIN = 1;

export const createPacedLooks = (clock: Pick<Clock, 'monotonicMs' | 'sleep'>): PacedLooks => {
  let tail: Promise<void> = Promise.resolve();
  let waiting = 0;
  return {
    look: async (look, signal) => {
      if (waiting >= WAITING_MAX) throw tooBusy(`${waiting} searches wait already`, 1_000);
      waiting += 1;
      const before = tail;
      const turn = Promise.withResolvers<void>();
      tail = turn.promise;
      let restMs = 0;
      try {
        await abortable(before, signal);
        const startMs = clock.monotonicMs();
        try {
          return look();
        } finally {
          restMs = clock.monotonicMs() - startMs;
        }
      } finally {
        waiting -= 1;
        // Also when this one has given up: the turn comes after those before it.
        before
          .then(() => (restMs < REST_MS_MIN ? undefined : clock.sleep(restMs)))
          .then(turn.resolve, turn.resolve);
      }
    },
  };
};
