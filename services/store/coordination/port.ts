/**
 * Coordination: what runmachine needs of etcd and nothing more. Two implementations, etcd/ and embedded/ (SQLite),
 * pass one suite, test/contract/coordination.suite.ts. Keys are UTF-8 text ordered bytewise; values are bytes.
 * Every call takes a signal and ends by its deadline: an outcome that could not be learned is thrown as
 * DomainError `unavailable` with reason OUTCOME_UNKNOWN (a transaction that may or may not have been applied) or
 * COORDINATION_UNAVAILABLE (certainly nothing was applied).
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

/** A comparison that must hold for the puts and deletes to happen. An absent key has revision and version 0. */
export type Compare =
  | { readonly key: string; readonly target: 'createRevision' | 'modRevision' | 'version'; readonly equals: bigint }
  | { readonly key: string; readonly target: 'value'; readonly equals: Uint8Array };

export type Write =
  | { readonly put: string; readonly value: Uint8Array; readonly leaseId?: string }
  | { readonly delete: string }
  | { readonly deletePrefix: string };

export type Transaction = { readonly compare: readonly Compare[]; readonly writes: readonly Write[] };
export type TransactionResult = {
  readonly succeeded: boolean;
  /** Store revision after the transaction. */
  readonly revision: Revision;
};

export type RangeOptions = {
  readonly prefix: string;
  /** Start strictly after this key; absent = from the first. For paging. */
  readonly after?: string;
  /** At most this many; absent = 1000. */
  readonly limit?: number;
  /** Read as of this revision; absent = newest. A compacted one is DomainError out_of_range COMPACTED. */
  readonly revision?: Revision;
};
export type RangeResult = { readonly keys: readonly KeyValue[]; readonly more: boolean; readonly revision: Revision };

export type WatchEvent =
  | { readonly kind: 'put'; readonly at: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: Revision };
/** All changes of one store revision below the prefix; `events` is empty for a progress mark. */
export type WatchBatch = { readonly revision: Revision; readonly events: readonly WatchEvent[] };

export type WatchOptions = {
  readonly prefix: string;
  /** First revision to deliver. */
  readonly from: Revision;
  readonly signal: AbortSignal;
};

export type Lease = {
  readonly id: string;
  readonly ttlMs: number;
  /** Renews the lease. Rejects with failed_precondition LEASE_LOST when the store no longer knows it. */
  readonly keepAlive: (signal: AbortSignal) => Promise<void>;
  /** Ends the lease; its keys vanish. Safe to repeat. */
  readonly revoke: (signal: AbortSignal) => Promise<void>;
};

export type Coordination = {
  readonly get: (key: string, signal: AbortSignal) => Promise<KeyValue | undefined>;
  readonly range: (options: RangeOptions, signal: AbortSignal) => Promise<RangeResult>;
  readonly transact: (transaction: Transaction, signal: AbortSignal) => Promise<TransactionResult>;
  readonly grantLease: (ttlMs: number, signal: AbortSignal) => Promise<Lease>;
  /**
   * Delivers every change from `from` on, once each and in order, over reconnects, until the signal aborts
   * (then it returns). A compacted start is thrown as out_of_range COMPACTED: list again and watch from there.
   */
  readonly watch: (options: WatchOptions) => AsyncIterable<WatchBatch>;
  /** Forgets history before `revision`. */
  readonly compact: (revision: Revision, signal: AbortSignal) => Promise<void>;
  /** Resolves while the store answers; rejects with `unavailable` otherwise. For readiness. */
  readonly ping: (signal: AbortSignal) => Promise<void>;
  readonly close: () => Promise<void>;
};
