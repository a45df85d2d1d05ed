import type { Scorer } from '../scorer.ts';

/** All are equal: the shuffle of the request alone decides. */
export const randomScorer: Scorer = { name: 'random', score: () => 0 };
