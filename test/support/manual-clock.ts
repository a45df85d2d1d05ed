import type { Clock } from '../../services/runtime/clock.ts';

/** A clock that stands still until a test moves it. */
export type ManualClock = Clock & {
  /** Lets time pass, waking sleepers in order; work that they start is done in between. */
  readonly advance: (ms: number) => Promise<void>;
};

type Sleeper = { readonly atMs: number; readonly wake: () => void };

const START = '2026-01-01T00:00:00Z';

export const manualClock = (): ManualClock => {
  let nowMs = 0;
  const sleepers = new Set<Sleeper>();
  const nextBefore = (endMs: number): Sleeper | undefined =>
    [...sleepers].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
  return {
    now: () => new Date(Date.parse(START) + nowMs),
    monotonicMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const end = (settle: () => void) => () => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', onAbort);
          settle();
        };
        const sleeper: Sleeper = { atMs: nowMs + Math.max(ms, 0), wake: end(resolve) };
        const onAbort = end(() => reject(signal?.reason));
        sleepers.add(sleeper);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    advance: async (ms) => {
      const endMs = nowMs + ms;
      await settled();
      for (let next = nextBefore(endMs); next !== undefined; next = nextBefore(endMs)) {
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
        await settled();
      }
      nowMs = endMs;
      await settled();
    },
  };
};

/** Some turns of the event loop, for promise chains and setImmediate to run dry. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
