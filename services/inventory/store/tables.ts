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
  readonly generation: number;
};

export type GroupRow = HeadRow & {
  readonly partition_id: string;
  readonly partition_key: string;
  /** Key of the group in which it lies; empty: none. */
  readonly parent_key: string;
};

export type ProviderRow = HeadRow & {
  readonly partition_id: string;
  readonly partition_key: string;
  readonly parent_uid: string;
  readonly root_uid: string;
  readonly reserved_generation: number;
  readonly reserve_holder: string;
  /** 0: no reservation is held. */
  readonly reserve_ms: number;
  /** JSON of the reshape that the reservation is for; empty: none. */
  readonly intent: string;
  /** Holder of the last reshape that was written; empty: none. */
  readonly finished_holder: string;
  /** JSON of what was seen; empty: nothing yet. */
  readonly observed: string;
};

export type DiscoveryRow = HeadRow & {
  readonly partition_id: string;
  readonly partition_key: string;
  /** proposed, accepted or rejected. */
  readonly state: string;
};

export type InventoryTables = {
  readonly partition_row: HeadRow;
  readonly capability: HeadRow;
  readonly resource_type: HeadRow;
  readonly distance_type: HeadRow;
  readonly provider_group: GroupRow;
  readonly provider: ProviderRow;
  /** What hardware is told apart by; one row each, whoever says it. */
  readonly provider_identifier: {
    readonly id: Generated<number>;
    readonly provider_uid: string;
    readonly partition_key: string;
    readonly identifier: string;
    /** 1: an operator says it. */
    readonly declared: number;
    /** 1: the hardware shows it. */
    readonly observed: number;
  };
  readonly discovery: DiscoveryRow;
  /** What lists of providers are filtered by. */
  readonly provider_term: {
    readonly id: Generated<number>;
    readonly provider_uid: string;
    readonly kind: string;
    readonly term: string;
    readonly partition_key: string;
    /** The provider's, so that the index has the order of lists. */
    readonly id_key: string;
  };
  /** Providers that the members of a group may use. */
  readonly shared_provider: {
    readonly id: Generated<number>;
    readonly group_uid: string;
    readonly provider_uid: string;
  };
  /** How far providers and groups say that they are from a group. */
  readonly place_distance: {
    readonly id: Generated<number>;
    readonly source_uid: string;
    readonly source_name: string;
    readonly partition_key: string;
    readonly group_key: string;
    readonly type_code: string;
    readonly step: string;
  };
};
