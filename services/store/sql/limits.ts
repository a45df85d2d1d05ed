/**
 * Bounds of one store. Every wait ends by one of them. Tests pass smaller ones; operators need none
 * of them.
 */
export type StoreLimits = {
  /**
   * Longest transaction, from begin to commit. Design: writes take at most 1 s; the rest is for
   * slow disks.
   */
  readonly transactionMs: number;
  /** PostgreSQL statement_timeout. */
  readonly statementMs: number;
  /** PostgreSQL lock_timeout; also how long the loser of a doubled request waits for the winner. */
  readonly lockMs: number;
  /** Longest wait for a connection (PostgreSQL) or for the single writer (SQLite). */
  readonly connectionWaitMs: number;
  /** How many may wait for a connection; the next one is refused with STORE_BUSY. */
  readonly waitersMax: number;
  /** PostgreSQL connections of one process and service, the listener not counted. */
  readonly connectionsMax: number;
  /**
   * How often a transaction is tried when the database reports a deadlock or a serialization
   * failure.
   */
  readonly attemptsMax: number;
  /** How long openSql keeps trying while the database does not answer. */
  readonly openMs: number;
  /** Answers of requests are kept this long. */
  readonly requestRetentionMs: number;
  /** Changes are kept this long; an older token is RESUME_TOKEN_EXPIRED. */
  readonly changeRetentionMs: number;
  /** Pause between two sweeps of old requests and changes. */
  readonly sweepMs: number;
  /**
   * Rows that one statement of a sweep deletes. SQLite is synchronous: 1000 rows are about 25 ms.
   */
  readonly sweepRows: number;
  /** The fallback poll of the change feed, for a nudge that was lost. */
  readonly pollMs: number;
  /** An idle follower gets an empty batch with a fresh token this often. */
  readonly bookmarkMs: number;
  /** Changes buffered for one follower before it is cut off as SLOW_WATCHER. */
  readonly followerChangesMax: number;
  /**
   * An open write transaction that holds the feed back longer than this makes the store not ready.
   */
  readonly horizonAgeMs: number;
};

export const storeLimits: StoreLimits = {
  transactionMs: 5_000,
  statementMs: 5_000,
  lockMs: 3_000,
  connectionWaitMs: 10_000,
  waitersMax: 1_000,
  connectionsMax: 10,
  attemptsMax: 5,
  openMs: 15_000,
  requestRetentionMs: 24 * 3_600_000,
  changeRetentionMs: 3_600_000,
  sweepMs: 60_000,
  sweepRows: 1_000,
  pollMs: 1_000,
  bookmarkMs: 15_000,
  followerChangesMax: 10_000,
  horizonAgeMs: 2_000,
};
