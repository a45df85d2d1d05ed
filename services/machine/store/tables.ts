import type { Generated } from 'kysely';

/**
 * Rows as they lie in the database: columns for what is searched, `doc` for the rest as JSON text.
 */
export type MachineTables = {
  readonly machine: MachineRow;
  readonly operation: OperationRow;
  readonly assignment: AssignmentTableRow;
  readonly agent: AgentRow;
  readonly event: EventRow;
  readonly claim_news: ClaimNewsRow;
  readonly event_sink: EventSinkRow;
  readonly image: ImageRow;
  readonly image_part: ImagePartRow;
  readonly artifact: ArtifactRow;
  readonly artifact_part: ArtifactPartRow;
  readonly provider_state: ProviderStateRow;
  readonly provider_cleaning: ProviderCleaningRow;
  readonly provider_conflict: ProviderConflictRow;
  readonly hardware_order: HardwareOrderRow;
  readonly hardware_lease: HardwareLeaseRow;
  readonly hardware_task: HardwareTaskRow;
  readonly console_session: ConsoleSessionRow;
  readonly console_token: ConsoleTokenRow;
  readonly sweeper: SweeperRow;
};

export type ConsoleTokenRow = {
  readonly id: Generated<number>;
  readonly hash: string;
  readonly machine_uid: string;
  readonly read_only: number;
  readonly principal: string;
  readonly until_ms: number;
};

export type MachineRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly version: number;
  readonly partition_key: string;
  readonly project_key: string;
  readonly id_key: string;
  /** 0 once it is gone: its name is free then. */
  readonly living: number;
  readonly state: string;
  readonly state_ms: number;
  readonly claim_uid: string | null;
  readonly claim_group: string | null;
  readonly claim_index: number | null;
  readonly image_uid: string | null;
  readonly doc: string;
};

export type OperationRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly partition_key: string;
  readonly project_key: string;
  readonly target_uid: string;
  readonly done: number;
  readonly wake_ms: number;
  readonly end_ms: number | null;
  /** Its step "claim" was begun. */
  readonly claim_begun: number;
  readonly owner: string | null;
  readonly lease_epoch: number;
  readonly lease_until_ms: number;
  readonly doc: string;
};

export type AssignmentTableRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly partition_key: string;
  readonly provider_uid: string;
  readonly agent_key: string;
  readonly incarnation: number;
  readonly generation: number;
  readonly digest: string;
  readonly absent: number;
  readonly gone: number;
  readonly server: number;
  /** Separated by commas. */
  readonly digests: string;
  /** Separated by commas; names hold none. */
  readonly secrets: string;
  readonly bytes: Uint8Array;
};

export type AgentRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly version: number;
  readonly partition_key: string;
  readonly agent_key: string;
  readonly epoch: number;
  readonly replica: string;
  readonly state: string;
  readonly last_sequence: number;
  readonly doc: string;
};

export type EventRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly partition_key: string;
  readonly project_key: string;
  readonly target_uid: string;
  readonly record_ms: number;
  readonly doc: string;
};

export type ClaimNewsRow = {
  readonly id: Generated<number>;
  readonly claim_uid: string;
  readonly occurrence: string;
  readonly record_ms: number;
};

export type EventSinkRow = {
  readonly id: Generated<number>;
  readonly sink_key: string;
  readonly owner: string;
  readonly lease_until_ms: number;
  readonly doc: string;
};

export type ImageRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly version: number;
  readonly id_key: string;
  /** Empty = shared. */
  readonly project_key: string;
  readonly state: string;
  /** 1 while a part is to be fetched from a URL. */
  readonly fetching: number;
  readonly owner: string | null;
  readonly lease_until_ms: number;
  readonly doc: string;
};

export type ImagePartRow = {
  readonly id: Generated<number>;
  readonly image_uid: string;
  readonly sha256: string;
};

export type ArtifactRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly sha256: string;
  readonly size_bytes: number;
  readonly complete: number;
  readonly update_ms: number;
};

export type ArtifactPartRow = {
  readonly id: Generated<number>;
  readonly artifact_uid: string;
  readonly position: number;
  readonly data: Uint8Array;
};

export type ProviderStateRow = {
  readonly id: Generated<number>;
  readonly provider_uid: string;
  readonly partition_key: string;
  readonly state: string;
  readonly generation: number;
  readonly version: number;
  /** Who tells the scheduler about it now. */
  readonly owner: string | null;
  readonly lease_until_ms: number;
  readonly doc: string;
};

export type ProviderCleaningRow = {
  readonly id: Generated<number>;
  readonly claim_uid: string;
  readonly provider_uid: string;
  /** When it was given back; null = it waits. */
  readonly done_ms: number | null;
  readonly doc: string;
};

export type ProviderConflictRow = {
  readonly id: Generated<number>;
  readonly provider_uid: string;
  /** Kind and value of the identifier and uid of the provider that has it. */
  readonly conflict_key: string;
  readonly doc: string;
};

export type SweeperRow = {
  readonly id: Generated<number>;
  readonly partition_key: string;
  readonly owner: string;
  readonly lease_until_ms: number;
};

export type HardwareOrderRow = {
  readonly id: Generated<number>;
  readonly command_uid: string;
  readonly agent_key: string;
  readonly provider_uid: string;
  readonly secret_key: string;
  readonly until_ms: number;
};

export type HardwareLeaseRow = {
  readonly id: Generated<number>;
  readonly provider_uid: string;
  readonly partition_key: string;
  readonly agent_key: string;
  readonly epoch: number;
  /** JSON of the agents that could not reach the controller; empty: none. */
  readonly missed: Generated<string>;
};

export type HardwareTaskRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly kind: string;
  readonly provider_uid: string;
  readonly subject: string;
  readonly done: number;
  readonly wake_ms: number;
  readonly end_ms: number | null;
  readonly owner: string | null;
  readonly lease_epoch: number;
  readonly lease_until_ms: number;
  readonly doc: string;
};

export type ConsoleSessionRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly target_uid: string;
  readonly replica: string;
  readonly principal: string;
  readonly since_ms: number;
};
