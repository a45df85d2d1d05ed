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
  readonly past_change: PastChangeRow;
  readonly past_claim: PastClaimRow;
  readonly past_use: PastUseRow;
};
