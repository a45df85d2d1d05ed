import type { Actor, Transactions, Tx } from './transaction.ts';

/** Carries the answer out of a transaction that is to be rolled back. */
class Previewed<T> extends Error {
  readonly answer: T;

  constructor(answer: T) {
    super('Only previewed');
    this.answer = answer;
  }
}

/**
 * For validate_only: runs the work as if it were meant, so that every check of the database counts,
 * and writes nothing. Answers what `work` answers; throws what it throws.
 */
export const previewTransaction = async <T>(
  store: Pick<Transactions, 'transaction'>,
  actor: Actor,
  work: (tx: Tx) => Promise<T>,
): Promise<T> => {
  try {
    return await store.transaction<T>(undefined, actor, async (tx) => {
      throw new Previewed(await work(tx));
    });
  } catch (error) {
    if (error instanceof Previewed) return error.answer;
    throw error;
  }
};
