/**
 * What this service needs of its records and of the scheduler. store/ implements the records inside the transactions of
 * store/sql; work/capacity.ts asks the scheduler.
 */
import type { Page } from '../store/sql/page.ts';
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { Amounts } from './domain/amounts.ts';
import type { CapabilityRecord, PartitionRecord, ProviderRecord } from './domain/records.ts';

/** Ids of the partitions that may be seen; undefined: all. */
export type PartitionFilter = { readonly only: readonly string[] | undefined };

export type NamedRecords<T, Filter> = {
  /** Errors: already_exists when the name is taken. */
  readonly insert: (tx: Tx, record: T) => Promise<void>;
  readonly find: (reader: Reader, idOrUid: string) => Promise<T | undefined>;
  readonly list: (reader: Reader, filter: Filter, page: Page) => Promise<readonly T[]>;
  readonly remove: (tx: Tx, record: T) => Promise<void>;
};

export type ProviderFilter = {
  /** Empty: in all partitions that `only` allows. */
  readonly partition: string;
  readonly only: readonly string[] | undefined;
};

export type ProviderRecords = {
  /** Errors: already_exists for a taken name or MAC address. */
  readonly insert: (tx: Tx, record: ProviderRecord) => Promise<void>;
  /** Errors: aborted when another wrote since `record.version - 1`; already_exists for a taken MAC address. */
  readonly save: (tx: Tx, record: ProviderRecord) => Promise<void>;
  readonly find: (
    reader: Reader,
    partition: string,
    idOrUid: string,
  ) => Promise<ProviderRecord | undefined>;
  readonly byUids: (reader: Reader, uids: readonly string[]) => Promise<readonly ProviderRecord[]>;
  readonly list: (
    reader: Reader,
    filter: ProviderFilter,
    page: Page,
  ) => Promise<readonly ProviderRecord[]>;
  readonly remove: (tx: Tx, record: ProviderRecord) => Promise<void>;
  readonly countChildren: (reader: Reader, uid: string) => Promise<number>;
  readonly countInPartition: (reader: Reader, partition: string) => Promise<number>;
  readonly countWithCapability: (reader: Reader, code: string) => Promise<number>;
  /** Codes of these that are not defined. */
  readonly unknownCapabilities: (
    reader: Reader,
    codes: readonly string[],
  ) => Promise<readonly string[]>;
};

export type InventoryRecords = {
  readonly partitions: NamedRecords<PartitionRecord, PartitionFilter>;
  readonly capabilities: NamedRecords<CapabilityRecord, Record<never, never>>;
  readonly providers: ProviderRecords;
};

/** What takes capacity away is decided by the scheduler's leader before it is written here. */
export type CapacityDecisions = {
  /** Errors: failed_precondition IN_USE when use is above it; unavailable. */
  readonly shrink: (
    change: {
      readonly partition: string;
      readonly uid: string;
      readonly generation: number;
      readonly amounts: readonly Amounts[];
      readonly requestId: string;
    },
    signal: AbortSignal,
  ) => Promise<void>;
  /** Closes it to new claims for good. Errors: failed_precondition IN_USE while it is used; unavailable. */
  readonly retire: (
    change: {
      readonly partition: string;
      readonly uid: string;
      readonly generation: number;
      readonly requestId: string;
    },
    signal: AbortSignal,
  ) => Promise<void>;
};
