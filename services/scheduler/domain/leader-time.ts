/**
 * The leader's time: never goes back, neither within a term nor from one leader to the next. It
 * moves with the monotonic clock and follows the wall clock only forward, so that a wall clock set
 * back does not stop it.
 */
export type LeaderTime = {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
};

export type TimeSource = {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
};

/** `storedMs`: the time of the last commit of whoever led before; 0 = nobody did. */
export const createLeaderTime = (source: TimeSource, storedMs: number): LeaderTime => {
  let lastMs = storedMs;
  let lastMonotonicMs = source.monotonicMs();
  return {
    nowMs: () => {
      const monotonicMs = source.monotonicMs();
      const passedMs = Math.max(0, monotonicMs - lastMonotonicMs);
      lastMonotonicMs = monotonicMs;
      lastMs = Math.max(lastMs + passedMs, source.wallMs());
      return Math.trunc(lastMs);
    },
  };
};
