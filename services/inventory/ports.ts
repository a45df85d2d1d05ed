/**
 * What this service needs of its records and of the scheduler. store/ implements the records inside
 * the transactions of store/sql; work/capacity.ts asks the scheduler.
 */
import type { CallOptions } from '@connectrpc/connect';
import type { Page } from '../store/sql/page.ts';
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { Offer } from './domain/amounts.ts';
import type {
  CapabilityRecord,
  PartitionRecord,
  ProviderParts,
  ProviderRecord,
} from './domain/records.ts';

/** Ids of the partitions that are meant; undefined: all. */
export type PartitionFilter = { readonly only: readonly string[] | undefined };

/**
 * `lock` gives the newest state and keeps everybody else from changing or deleting it until the
 * transaction ends; `keep` only from deleting it, for what is about to refer to it.
 */
export type NamedRecords<T, Filter> = {
  /** Errors: already_exists when the name is taken. */
  readonly insert: (tx: Tx, record: T) => Promise<void>;
  readonly find: (reader: Reader, idOrUid: string) => Promise<T | undefined>;
  readonly lock: (tx: Tx, idOrUid: string) => Promise<T | undefined>;
  readonly keep: (tx: Tx, idOrUid: string) => Promise<T | undefined>;
  readonly list: (reader: Reader, filter: Filter, page: Page) => Promise<readonly T[]>;
  readonly remove: (tx: Tx, record: T) => Promise<void>;
};

export type CapabilityRecords = NamedRecords<CapabilityRecord, Record<never, never>> & {
  /** Does nothing when the name is taken. */
  readonly insertMissing: (tx: Tx, record: CapabilityRecord) => Promise<void>;
  /** Keeps those that there are; gives the codes that are not defined. */
  readonly keepAll: (tx: Tx, codes: readonly string[]) => Promise<readonly string[]>;
};

type FindProvider<R extends Reader> = (
  reader: R,
  partition: string,
  idOrUid: string,
) => Promise<ProviderRecord | undefined>;

export type ProviderRecords = {
  /** Errors: already_exists for a taken name or MAC address. */
  readonly insert: (tx: Tx, record: ProviderRecord, parts: ProviderParts) => Promise<void>;
  /** Writes a locked record. Errors: already_exists for a taken MAC address. */
  readonly save: (tx: Tx, record: ProviderRecord, parts: ProviderParts) => Promise<void>;
  /** Writes the reservation of a locked record, nothing else; nobody is told. */
  readonly saveReservation: (tx: Tx, record: ProviderRecord) => Promise<void>;
  /** Writes generation and reservation of a locked record, nothing else, and tells watchers. */
  readonly saveGeneration: (tx: Tx, record: ProviderRecord) => Promise<void>;
  readonly remove: (tx: Tx, record: ProviderRecord) => Promise<void>;
  readonly find: FindProvider<Reader>;
  readonly lock: FindProvider<Tx>;
  readonly lockUid: (tx: Tx, uid: string) => Promise<ProviderRecord | undefined>;
  readonly keep: FindProvider<Tx>;
  readonly keepUid: (tx: Tx, uid: string) => Promise<ProviderRecord | undefined>;
  readonly byUids: (reader: Reader, uids: readonly string[]) => Promise<readonly ProviderRecord[]>;
  readonly list: (
    reader: Reader,
    filter: PartitionFilter,
    page: Page,
  ) => Promise<readonly ProviderRecord[]>;
  /** Uids of providers that were reserved at that time or before it and still are. */
  readonly reservedBefore: (
    reader: Reader,
    beforeMs: number,
    limit: number,
  ) => Promise<readonly string[]>;
  readonly countChildren: (reader: Reader, uid: string) => Promise<number>;
  readonly countInPartition: (reader: Reader, partition: string) => Promise<number>;
  readonly countWithCapability: (reader: Reader, code: string) => Promise<number>;
  /** How many levels of parts it has, at most `levelsMax`. */
  readonly levelsBelow: (reader: Reader, uid: string, levelsMax: number) => Promise<number>;
};

export type InventoryRecords = {
  readonly partitions: NamedRecords<PartitionRecord, PartitionFilter>;
  readonly capabilities: CapabilityRecords;
  readonly providers: ProviderRecords;
};

/** What takes capacity away is decided by the scheduler's leader before it is written here. */
export type CapacityDecisions = {
  /** Errors: failed_precondition IN_USE when use is above the offers; unavailable. */
  readonly reduce: (change: CapacityChange, call: CallOptions) => Promise<void>;
  /** Closes it to new claims. Errors: failed_precondition IN_USE while it is used; unavailable. */
  readonly retire: (change: Retirement, call: CallOptions) => Promise<void>;
};

export type Retirement = {
  readonly partition: string;
  readonly uid: string;
  readonly generation: number;
};

export type CapacityChange = Retirement & { readonly offers: readonly Offer[] };
