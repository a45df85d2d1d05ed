/**
 * How many controllers one agent works on at once: more while they answer as fast as they did
 * before, fewer when they slow down together (additive increase, multiplicative decrease, as TCP
 * does, RFC 5681). A controller that never answered says nothing about us and is not counted.
 */
export type ParallelLimit = {
  /** At most so many at once. */
  readonly limit: number;
  /** Good samples since the limit was raised. */
  readonly good: number;
  /** Monotonic; the limit falls at most once in a while, however many suffer at the same time. */
  readonly loweredAtMs: number;
};

export type Sample = {
  readonly outcome: 'answered' | 'busy' | 'timeout';
  readonly durationMs: number;
  /** What the same work took there before; undefined = it was never done there. */
  readonly usualMs: number | undefined;
};

export const NEW_PARALLEL_LIMIT: ParallelLimit = {
  limit: 16,
  good: 0,
  loweredAtMs: Number.NEGATIVE_INFINITY,
};

const LIMIT = { min: 4, max: 512 } as const;
const DECREASE = 0.7;
const LOWERED_FOR_MS = 1_000;
/** Slower than this is a sign of load, not of chance. */
const SLOW = { factor: 4, plusMs: 500 } as const;

export const afterSample = (
  present: ParallelLimit,
  sample: Sample,
  nowMs: number,
): ParallelLimit => {
  if (isCongested(sample)) {
    if (nowMs - present.loweredAtMs < LOWERED_FOR_MS) return { ...present, good: 0 };
    const limit = Math.max(LIMIT.min, Math.floor(present.limit * DECREASE));
    return { limit, good: 0, loweredAtMs: nowMs };
  }
  if (sample.outcome !== 'answered') return present;
  const good = present.good + 1;
  // One more for each round: exponential at first would overrun the site's network.
  if (good < present.limit) return { ...present, good };
  return { ...present, limit: Math.min(LIMIT.max, present.limit + 4), good: 0 };
};

const isCongested = ({ outcome, durationMs, usualMs }: Sample): boolean => {
  // Silence and refusals of one that answered before may come from us.
  if (usualMs === undefined) return false;
  if (outcome !== 'answered') return true;
  return durationMs > SLOW.factor * usualMs + SLOW.plusMs;
};

/** What work usually takes: new samples count an eighth (RFC 6298 section 2). */
export const usualAfter = (usualMs: number | undefined, durationMs: number): number =>
  usualMs === undefined ? durationMs : usualMs + (durationMs - usualMs) / 8;

const PACE_MS = { first: 250, max: 10_000 } as const;

/** Pause before the next work on one controller: grows while it says "busy", shrinks after. */
export const paceAfter = (paceMs: number, outcome: Sample['outcome']): number => {
  if (outcome === 'answered') return paceMs < PACE_MS.first ? 0 : paceMs / 2;
  return Math.min(PACE_MS.max, Math.max(PACE_MS.first, paceMs * 2));
};
