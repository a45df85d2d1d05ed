import type { Scorer } from '../scorer.ts';

/** The emptiest comes first. */
export const spreadScorer: Scorer = { name: 'spread', score: (free) => free };
