import type { Scorer } from '../scorer.ts';

/** The fullest that still fits comes first, so that large requests find room later. */
export const packScorer: Scorer = { name: 'pack', score: (free) => 1 - free };
