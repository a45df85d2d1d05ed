import type { Clock } from '../../runtime/clock.ts';

/**
 * Turns of many objects: one at a time per object, all objects side by side. A wake during a turn
 * gives one more turn after it, however often it comes. The answer of a turn says after how many
 * milliseconds the next one is due; 0 is only when woken.
 */
export type Turns = {
  readonly wake: (key: string) => void;
  /** Lets running turns end (their signal aborts) and takes no new ones. */
  readonly stop: () => Promise<void>;
};

export type TurnsOptions = {
  readonly clock: Clock;
  readonly take: (key: string, signal: AbortSignal) => Promise<number>;
  /** Called for a turn that threw; answers when to try again. */
  readonly failed: (key: string, error: unknown) => number;
};

type Slot = { running: boolean; woken: boolean; timer?: AbortController };

export const createTurns = ({ clock, take, failed }: TurnsOptions): Turns => {
  const slots = new Map<string, Slot>();
  const ended = new AbortController();
  const work = new Set<Promise<void>>();

  const wake = (key: string): void => {
    if (ended.signal.aborted) return;
    const slot = slots.get(key) ?? { running: false, woken: false };
    slots.set(key, slot);
    slot.woken = true;
    slot.timer?.abort();
    if (slot.running) return;
    slot.running = true;
    const running = run(key, slot).finally(() => work.delete(running));
    work.add(running);
  };

  const run = async (key: string, slot: Slot): Promise<void> => {
    let againMs = 0;
    while (slot.woken && !ended.signal.aborted) {
      slot.woken = false;
      try {
        againMs = await take(key, ended.signal);
      } catch (error) {
        if (ended.signal.aborted) break;
        againMs = failed(key, error);
      }
      // A short wait is part of the turn: the next step follows from the one that was just taken.
      if (againMs === 1) slot.woken = true;
    }
    slot.running = false;
    if (againMs > 1 && !ended.signal.aborted) remind(key, slot, againMs);
    else if (againMs === 0) slots.delete(key);
  };

  const remind = (key: string, slot: Slot, afterMs: number): void => {
    const timer = new AbortController();
    slot.timer = timer;
    clock.sleep(afterMs, timer.signal).then(
      () => wake(key),
      () => undefined,
    );
  };

  return {
    wake,
    stop: async () => {
      ended.abort();
      for (const slot of slots.values()) slot.timer?.abort();
      await Promise.allSettled([...work]);
    },
  };
};
