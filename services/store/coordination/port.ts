/**
 * Coordination: what runmachine needs of etcd and nothing more. Two implementations, etcd/ and
 * embedded/ (SQLite), pass one suite, test/contract/coordination.suite.ts. Keys are UTF-8 text
 * ordered bytewise; values are bytes. Every call takes a signal and ends by its deadline. A call
 * whose outcome could not be learned (also because the signal aborted) is thrown as DomainError
 * `unavailable`: reason OUTCOME_UNKNOWN for a transaction that may or may not have been applied,
 * or may yet be, and COORDINATION_UNAVAILABLE where certainly nothing was applied, or where
 * repeating the call is harmless (reads, leases, compaction).
 */
export type Revision = bigint;

export type KeyValue = {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Number of changes since creation; 1 after the creating put. */
  readonly version: bigint;
  /** Lease that holds the key; empty = none. */
  readonly leaseId: string;
};

/**
 * A comparison that must hold for the puts and deletes to happen. An absent key has revision and
 * version 0, and is equal to no value, not even to the empty one.
 */
export type Compare =
  | {
      readonly key: string;
      readonly target: 'createRevision' | 'modRevision' | 'version';
      readonly equals: bigint;
    }
  | { readonly key: string; readonly target: 'value'; readonly equals: Uint8Array };

export type Write =
  | {
      readonly put: string;
      readonly value: Uint8Array;
      /** Lease that shall hold the key; absent or empty = none. */
      readonly leaseId?: string;
    }
  | { readonly delete: string }
  | { readonly deletePrefix: string };

/** A key is put at most once and not also deleted (invalid_argument DUPLICATE_KEY). */
export type Transaction = {
  readonly compare: readonly Compare[];
  readonly writes: readonly Write[];
};

/** At most this many comparisons, and as many writes, in one transaction (etcd's --max-txn-ops). */
export const TRANSACTION_OPERATIONS_MAX = 128;
/** At most this many bytes of keys and values in one (etcd refuses 1.5 MiB on the wire). */
export const TRANSACTION_BYTES_MAX = 1_048_576;
/** Keys in a page of `range` where no limit is given. */
export const RANGE_LIMIT_DEFAULT = 1000;

export type TransactionResult = {
  readonly succeeded: boolean;
  /**
   * Store revision after the transaction: the one all its writes have. It does not grow when
   * nothing changed (a failed comparison, a delete of absent keys).
   */
  readonly revision: Revision;
};

export type RangeOptions = {
  /** Empty = all keys. */
  readonly prefix: string;
  /** Start strictly after this key; absent = from the first. For paging. */
  readonly after?: string;
  /** At most this many; absent = RANGE_LIMIT_DEFAULT. */
  readonly limit?: number;
  /**
   * Keys from this one on are not wanted yet: etcd counts all that are, for each page. A store that
   * heeds it says `more` of what lies before it; another may give what lies behind it too.
   */
  readonly until?: string;
  /**
   * Read as of this revision; absent = newest. A compacted one is DomainError out_of_range
   * COMPACTED, one that is still to come out_of_range FUTURE_REVISION.
   */
  readonly revision?: Revision;
};
export type RangeResult = {
  readonly keys: readonly KeyValue[];
  readonly more: boolean;
  /** The revision the keys are as of: read further pages at it, watch from the one after it. */
  readonly revision: Revision;
};

export type WatchEvent =
  | { readonly kind: 'put'; readonly at: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: Revision };

/**
 * All changes of one store revision below the prefix. Empty `events` are a progress mark: all
 * changes up to and with `revision` have been delivered. A store may send marks or not.
 */
export type WatchBatch = { readonly revision: Revision; readonly events: readonly WatchEvent[] };

export type WatchOptions = {
  /** Empty = all keys. */
  readonly prefix: string;
  /** First revision to deliver. */
  readonly from: Revision;
  readonly signal: AbortSignal;
};

export type Lease = {
  readonly id: string;
  /** What the store granted: at least what was asked for (etcd: whole seconds, with a minimum). */
  readonly ttlMs: number;
  /** Renews it. Rejects with failed_precondition LEASE_LOST when the store no longer knows it. */
  readonly keepAlive: (signal: AbortSignal) => Promise<void>;
  /** Ends the lease; its keys vanish. Safe to repeat. */
  readonly revoke: (signal: AbortSignal) => Promise<void>;
};

export type Coordination = {
  readonly get: (key: string, signal: AbortSignal) => Promise<KeyValue | undefined>;
  readonly range: (options: RangeOptions, signal: AbortSignal) => Promise<RangeResult>;
  /**
   * Applies the writes, all at one revision, if all comparisons hold. A put under a lease that is
   * gone rejects with failed_precondition LEASE_LOST and applies nothing. After OUTCOME_UNKNOWN
   * resend the identical transaction: it must compare something that it itself changes.
   */
  readonly transact: (transaction: Transaction, signal: AbortSignal) => Promise<TransactionResult>;
  readonly grantLease: (ttlMs: number, signal: AbortSignal) => Promise<Lease>;
  /**
   * Delivers every change from `from` on, once each and in order, over reconnects, until the
   * signal aborts (then it returns). A start that is compacted, also one that a reconnect would
   * need, is thrown as out_of_range COMPACTED: list again and watch from there.
   */
  readonly watch: (options: WatchOptions) => AsyncIterable<WatchBatch>;
  /**
   * Forgets history before `revision`; reads at it and watches from it on still work. Repeating
   * it, or asking for an older one, does nothing.
   */
  readonly compact: (revision: Revision, signal: AbortSignal) => Promise<void>;
  /** Resolves while the store answers; rejects with `unavailable` otherwise. For readiness. */
  readonly ping: (signal: AbortSignal) => Promise<void>;
  /** Ends watches (they throw COORDINATION_UNAVAILABLE) and the connection. Safe to repeat. */
  readonly close: () => Promise<void>;
};
