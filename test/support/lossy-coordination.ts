import { unavailable } from '../../services/runtime/errors.ts';
import type {
  Coordination,
  Transaction,
  TransactionResult,
} from '../../services/store/coordination/port.ts';

/** What becomes of one transaction. */
export type Fate =
  | 'delivered'
  /** It is applied, and the answer gets lost. */
  | 'answer-lost'
  /** It never arrives, and the sender cannot know. */
  | 'request-lost'
  /** The sender gives up, and it arrives when `release` is called. */
  | 'late'
  /** It is applied and answered, and arrives again when `release` is called. */
  | 'doubled';

export type Lossy = {
  readonly coordination: Coordination;
  /** Delivers what was late; gives what the store said to each. */
  readonly release: () => Promise<readonly TransactionResult[]>;
  readonly lateCount: () => number;
};

/**
 * A way to the store on which answers and requests get lost, as `fateOf` says for each transaction.
 */
export const lossy = (
  coordination: Coordination,
  fateOf: (keys: readonly string[]) => Fate,
): Lossy => {
  let late: (() => Promise<TransactionResult>)[] = [];
  const unknown = () => unavailable('OUTCOME_UNKNOWN', 'The answer was lost');
  const keep = (transaction: Transaction): void => {
    late.push(() => coordination.transact(transaction, AbortSignal.timeout(10_000)));
  };
  return {
    lateCount: () => late.length,
    release: async () => {
      const delivering = late;
      late = [];
      return Promise.all(delivering.map((deliver) => deliver()));
    },
    coordination: {
      ...coordination,
      transact: async (transaction, signal) => {
        const keys = transaction.writes.map((write) => ('put' in write ? write.put : ''));
        switch (fateOf(keys)) {
          case 'delivered':
            return coordination.transact(transaction, signal);
          case 'answer-lost':
            await coordination.transact(transaction, signal);
            throw unknown();
          case 'request-lost':
            throw unknown();
          case 'late':
            keep(transaction);
            throw unknown();
          case 'doubled':
            keep(transaction);
            return coordination.transact(transaction, signal);
        }
      },
    },
  };
};
