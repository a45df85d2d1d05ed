/** One after the other, callers in turn; for what takes long or much memory. */
import { abortable } from '../store/coordination/waiting.ts';
import { createRoundRobin } from './domain/round-robin.ts';

export type CallerTurns = {
  /** How many wait. */
  readonly size: () => number;
  /** True when no more of that caller may wait. */
  readonly isFull: (caller: string) => boolean;
  /** Resolves when it is his turn. Errors: the signal's reason. */
  readonly enter: (caller: string, signal: AbortSignal) => Promise<void>;
  /** Whoever had the turn passes it on. */
  readonly leave: () => void;
};

export const createCallerTurns = (waitingMax: number): CallerTurns => {
  const line = createRoundRobin<() => void>();
  let isBusy = false;
  const leave = (): void => {
    const start = line.shift();
    isBusy = start !== undefined;
    start?.();
  };
  return {
    size: line.size,
    isFull: (caller) => line.isFull(caller, waitingMax),
    enter: async (caller, signal) => {
      signal.throwIfAborted();
      if (!isBusy) {
        isBusy = true;
        return;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      line.push(caller, resolve);
      try {
        await abortable(promise, signal);
      } catch (error) {
        // Whoever goes when it has just become his turn passes it on.
        if (!line.remove(caller, resolve)) leave();
        throw error;
      }
    },
    leave,
  };
};
