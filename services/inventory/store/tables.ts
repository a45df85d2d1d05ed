import type { Generated } from 'kysely';

/**
 * Rows as they lie in the database: columns for what is searched, `doc` for the rest as JSON text.
 */
export type HeadRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  /** As it was given. */
  readonly name_id: string;
  /** The same in lower case: names compare without regard to case. */
  readonly id_key: string;
  readonly version: number;
  readonly create_ms: number;
  readonly update_ms: number;
  readonly doc: string;
};

export type ProviderRow = HeadRow & {
  readonly partition_id: string;
  readonly partition_key: string;
  readonly generation: number;
  readonly parent_uid: string;
  readonly reserved_generation: number;
  readonly reserve_holder: string;
  /** 0: no reservation is held. */
  readonly reserve_ms: number;
};

export type InventoryTables = {
  readonly partition_row: HeadRow;
  readonly capability: HeadRow;
  readonly provider: ProviderRow;
  readonly provider_nic: {
    readonly id: Generated<number>;
    readonly provider_uid: string;
    readonly partition_key: string;
    readonly label: string;
    /** Empty: unknown. */
    readonly mac: string;
  };
  readonly provider_capability: {
    readonly id: Generated<number>;
    readonly provider_uid: string;
    readonly code: string;
  };
};
