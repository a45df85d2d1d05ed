import type { Generated } from 'kysely';

/** How far the log of a partition is recorded, one row each. */
export type PastLogRow = {
  readonly id: Generated<number>;
  /** Its key, lower case. */
  readonly partition: string;
  /** Number of the newest commit that is. */
  readonly number: number;
};

/** A claim that has ended. Times are milliseconds since 1970. */
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

/** What a past claim used of one resource type, from the begin of its window to its release. */
export type PastUseRow = {
  readonly id: Generated<number>;
  readonly claim_uid: string;
  /** Keys, lower case. */
  readonly partition: string;
  readonly project: string;
  readonly owner: string;
  readonly consumer_type: string;
  readonly resource_type: string;
  readonly amount: number;
  readonly from_ms: number;
  readonly to_ms: number;
};

export type HistoryTables = {
  readonly past_log: PastLogRow;
  readonly past_claim: PastClaimRow;
  readonly past_use: PastUseRow;
};
