import type { Generated } from 'kysely';

/** What was changed, one row per entry of the log. Times are milliseconds since 1970. */
export type PastChangeRow = {
  readonly id: Generated<number>;
  readonly partition: string;
  /** Number of the commit, and which of its entries it is. */
  readonly number: number;
  readonly position: number;
  readonly at_ms: number;
  readonly action: string;
  readonly object_uid: string;
  readonly object_name: string;
  readonly project: string;
  readonly principal: string;
  readonly request_id: string;
  /** JSON text. */
  readonly after: string;
};

/** A claim that has ended. */
export type PastClaimRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly partition: string;
  readonly project: string;
  readonly claim_id: string;
  readonly create_ms: number;
  readonly end_ms: number;
  /** The record as JSON text. */
  readonly doc: string;
};

export type HistoryTables = {
  readonly past_change: PastChangeRow;
  readonly past_claim: PastClaimRow;
};
