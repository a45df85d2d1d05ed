/** Tells those who wait for an operation that it changed. A missed ring only costs time. */
import { type Clock, OVER } from '../../runtime/clock.ts';

export type OperationBell = {
  readonly ring: (uid: string) => void;
  /** Resolves at the next ring or after that long; rejects with the signal's reason. */
  readonly heard: (uid: string, afterMs: number, signal: AbortSignal) => Promise<void>;
};

export const createOperationBell = (clock: Clock): OperationBell => {
  const listeners = new Map<string, Set<() => void>>();
  return {
    ring: (uid) => {
      for (const wake of listeners.get(uid) ?? []) wake();
    },
    heard: async (uid, afterMs, signal) => {
      const woken = new AbortController();
      const wake = () => woken.abort(OVER);
      const all = listeners.get(uid) ?? new Set();
      listeners.set(uid, all.add(wake));
      try {
        await clock.sleep(afterMs, AbortSignal.any([woken.signal, signal]));
      } catch (error) {
        if (!woken.signal.aborted) throw error;
      } finally {
        all.delete(wake);
        if (all.size === 0) listeners.delete(uid);
      }
    },
  };
};
