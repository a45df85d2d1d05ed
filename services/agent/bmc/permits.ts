import type { Clock } from '../../runtime/clock.ts';
import {
  afterSample,
  NEW_PARALLEL_LIMIT,
  type ParallelLimit,
  type Sample,
} from '../domain/parallel-limit.ts';

/** Permits to work on a controller; how many there are follows from how the controllers answer. */
export type Permits = {
  /** Waits for a permit, first come first served. Rejects with the signal's reason. */
  readonly take: (signal: AbortSignal) => Promise<void>;
  readonly giveBack: (sample?: Sample) => void;
  readonly limit: () => number;
};

export const createPermits = (clock: Clock): Permits => {
  let state: ParallelLimit = NEW_PARALLEL_LIMIT;
  let taken = 0;
  const waiting = new Set<() => void>();
  const admit = (): void => {
    for (const grant of waiting) {
      if (taken >= state.limit) return;
      waiting.delete(grant);
      taken += 1;
      grant();
    }
  };
  return {
    take: async (signal) => {
      signal.throwIfAborted();
      if (taken < state.limit) {
        taken += 1;
        return;
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = () => {
        if (waiting.delete(resolve)) reject(signal.reason);
      };
      waiting.add(resolve);
      signal.addEventListener('abort', onAbort, { once: true });
      await promise.finally(() => signal.removeEventListener('abort', onAbort));
    },
    giveBack: (sample) => {
      taken -= 1;
      if (sample) state = afterSample(state, sample, clock.monotonicMs());
      admit();
    },
    limit: () => state.limit,
  };
};
