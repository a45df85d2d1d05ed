/** What a scorer is. Each stands in its own file below scorers/. */

/** One resource type on a provider: what it has in all, and what would still be free. */
export type Load = { readonly usable: number; readonly free: number };

export type Scorer = {
  readonly name: string;
  /**
   * 0 … 1, the larger the better, of the free share; equals are ordered by the shuffle of the
   * request.
   */
  readonly score: (free: number) => number;
};

/** Mean of the free shares; 1 for a provider of which nothing is used. */
export const freeShare = (loads: readonly Load[]): number => {
  if (loads.length === 0) return 1;
  let sum = 0;
  for (const load of loads) sum += shareOf(load);
  return sum / loads.length;
};

export const shareOf = ({ usable, free }: Load): number => (usable === 0 ? 0 : free / usable);
