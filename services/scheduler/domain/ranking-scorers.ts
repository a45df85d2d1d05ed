import type { Ranking } from './claim.ts';
import type { Scorer } from './scorer.ts';
import { packScorer } from './scorers/pack.ts';
import { randomScorer } from './scorers/random.ts';
import { spreadScorer } from './scorers/spread.ts';

export const SCORERS: Readonly<Record<Ranking, Scorer>> = {
  pack: packScorer,
  spread: spreadScorer,
  random: randomScorer,
  closest: packScorer,
};
