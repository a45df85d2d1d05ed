/**
 * What this service needs of its records and of the scheduler. store/ implements the records inside
 * the transactions of store/sql; work/capacity.ts asks the scheduler.
 */
import type { CallOptions } from '@connectrpc/connect';
import type { Page } from '../store/sql/page.ts';
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { Holder, Identifier, Taken } from './domain/identifiers.ts';
import type {
  DiscoveryRecord,
  DiscoveryState,
  GroupParts,
  GroupRecord,
  NamedRecord,
  PartitionRecord,
  ProviderParts,
  ProviderRecord,
  TermKind,
} from './domain/records.ts';
import type { AllocationMove, ReshapePart } from './domain/reshape-intent.ts';

/** Ids of the partitions that are meant; undefined: all. */
export type PartitionFilter = { readonly only: readonly string[] | undefined };

/**
 * `lock` gives the newest state and keeps everybody else from changing or deleting it until the
 * transaction ends; `keep` only from deleting it, for what is about to refer to it.
 */
export type NamedRecords<T, Filter> = {
  /** Errors: already_exists when the name is taken. */
  readonly insert: (tx: Tx, record: T) => Promise<void>;
  /** Writes a locked record. */
  readonly save: (tx: Tx, record: T) => Promise<void>;
  readonly find: (reader: Reader, idOrUid: string) => Promise<T | undefined>;
  readonly lock: (tx: Tx, idOrUid: string) => Promise<T | undefined>;
  readonly keep: (tx: Tx, idOrUid: string) => Promise<T | undefined>;
  readonly list: (reader: Reader, filter: Filter, page: Page) => Promise<readonly T[]>;
  readonly remove: (tx: Tx, record: T) => Promise<void>;
};

/** Capabilities, resource types and distance types: what other objects name by a code. */
export type CodeRecords = NamedRecords<NamedRecord, Record<never, never>> & {
  /** Does nothing when the name is taken. */
  readonly insertMissing: (tx: Tx, record: NamedRecord) => Promise<void>;
  /** Those of these codes (in lower case) that there are; they are kept. */
  readonly keepAll: (tx: Tx, codes: readonly string[]) => Promise<readonly NamedRecord[]>;
};

type FindPlaced<R extends Reader, T> = (
  reader: R,
  partition: string,
  idOrUid: string,
) => Promise<T | undefined>;

/** Which providers a list shows; all that is given must hold. */
export type ProviderFilter = PartitionFilter & {
  readonly terms: readonly {
    readonly kind: Exclude<TermKind, 'chassis' | 'group'>;
    readonly term: string;
  }[];
  /** Key of a group in which it must be, itself or through a group inside that one. */
  readonly group?: string;
  /** Name or uid of a provider of its tree. */
  readonly inTree?: string;
};

export type ProviderWrite = {
  readonly record: ProviderRecord;
  readonly parts: ProviderParts;
  readonly isNew: boolean;
};

/** Why a write of many cannot be committed; an empty `taken`: its name is taken. */
export type Refusal = { readonly uid: string; readonly taken: readonly Taken[] };

export type ProviderRecords = {
  /** Errors: already_exists for a taken name or identifier. */
  readonly insert: (tx: Tx, record: ProviderRecord, parts: ProviderParts) => Promise<void>;
  /** Writes a locked record. Errors: already_exists for a taken identifier. */
  readonly save: (tx: Tx, record: ProviderRecord, parts: ProviderParts) => Promise<void>;
  /**
   * Writes new records and locked ones, in a few statements however many. Answers whose name or
   * identifiers others have; then what was written is not to be committed.
   */
  readonly writeAll: (tx: Tx, writes: readonly ProviderWrite[]) => Promise<readonly Refusal[]>;
  /**
   * Gives a locked record the identifiers that it shows, in place of those that it showed before.
   * Answers what others have, which it does not get.
   */
  readonly claimObserved: (
    tx: Tx,
    record: ProviderRecord,
    identifiers: readonly Identifier[],
  ) => Promise<readonly Taken[]>;
  /** Writes what was seen of a locked record, and its document; `tell`: watchers hear of it. */
  readonly saveObserved: (tx: Tx, record: ProviderRecord, tell: boolean) => Promise<void>;
  /** Who has these identifiers, by key. */
  readonly holdersOf: (
    reader: Reader,
    partition: string,
    keys: readonly string[],
  ) => Promise<ReadonlyMap<string, Holder>>;
  /** Who has these controllers (controllerAddress), or a system there; of several at one, any. */
  readonly atControllers: (
    reader: Reader,
    partition: string,
    controllers: readonly string[],
  ) => Promise<ReadonlyMap<string, Holder>>;
  /** Writes the reservation of a locked record, nothing else; nobody is told. */
  readonly saveReservation: (tx: Tx, record: ProviderRecord) => Promise<void>;
  /** Writes generation and reservation of a locked record, nothing else, and tells watchers. */
  readonly saveGeneration: (tx: Tx, record: ProviderRecord) => Promise<void>;
  /** Writes a locked record and which resource types it offers, nothing else. */
  readonly saveReshaped: (
    tx: Tx,
    record: ProviderRecord,
    resourceTypes: readonly string[],
  ) => Promise<void>;
  readonly setResourceTerms: (
    tx: Tx,
    record: ProviderRecord,
    resourceTypes: readonly string[],
  ) => Promise<void>;
  readonly removeAll: (tx: Tx, records: readonly ProviderRecord[]) => Promise<void>;
  readonly find: FindPlaced<Reader, ProviderRecord>;
  readonly lock: FindPlaced<Tx, ProviderRecord>;
  readonly lockUid: (tx: Tx, uid: string) => Promise<ProviderRecord | undefined>;
  readonly keep: FindPlaced<Tx, ProviderRecord>;
  readonly keepUid: (tx: Tx, uid: string) => Promise<ProviderRecord | undefined>;
  readonly byUids: (reader: Reader, uids: readonly string[]) => Promise<readonly ProviderRecord[]>;
  readonly list: (
    reader: Reader,
    filter: ProviderFilter,
    page: Page,
  ) => Promise<readonly ProviderRecord[]>;
  /** Those of these ids or uids that there are, locked, in an order that all callers share. */
  readonly lockAll: (
    tx: Tx,
    partition: string,
    idsOrUids: readonly string[],
  ) => Promise<readonly ProviderRecord[]>;
  readonly lockUids: (tx: Tx, uids: readonly string[]) => Promise<readonly ProviderRecord[]>;
  /** Uids of everything below it, at most `limit`; the order says nothing. */
  readonly uidsBelow: (reader: Reader, uid: string, limit: number) => Promise<readonly string[]>;
  /** Tells watchers too. */
  readonly saveRoot: (tx: Tx, record: ProviderRecord) => Promise<void>;
  /** Writes records whose documents changed in nothing but their membership of a group. */
  readonly saveMembership: (
    tx: Tx,
    records: readonly ProviderRecord[],
    change: { readonly group: string; readonly isMember: boolean },
  ) => Promise<void>;
  /** What is about to be written counts as offered already, so that its types stay. */
  readonly addTerms: (
    tx: Tx,
    record: ProviderRecord,
    terms: ProviderParts['terms'],
  ) => Promise<void>;
  readonly countWithTerm: (
    reader: Reader,
    kind: TermKind,
    term: string,
    partition?: string,
  ) => Promise<number>;
  /** Names of some of them. */
  readonly withTerm: (
    reader: Reader,
    kind: TermKind,
    term: string,
    partition?: string,
  ) => Promise<readonly string[]>;
  /** Uids of providers that were reserved at that time or before it and still are. */
  readonly reservedBefore: (
    reader: Reader,
    beforeMs: number,
    limit: number,
  ) => Promise<readonly string[]>;
  /** Parts of these that are not themselves among them: how many, and names of some. */
  readonly partsLeft: (
    reader: Reader,
    uids: readonly string[],
  ) => Promise<{ readonly count: number; readonly names: readonly string[] }>;
  readonly countInPartition: (reader: Reader, partition: string) => Promise<number>;
  /** How many levels of parts it has, at most `levelsMax`. */
  readonly levelsBelow: (reader: Reader, uid: string, levelsMax: number) => Promise<number>;
};

export type GroupRecords = {
  /** Errors: already_exists when the name is taken. */
  readonly insert: (tx: Tx, record: GroupRecord, parts: GroupParts) => Promise<void>;
  /** Writes a locked record. */
  readonly save: (tx: Tx, record: GroupRecord, parts: GroupParts) => Promise<void>;
  readonly remove: (tx: Tx, record: GroupRecord) => Promise<void>;
  readonly find: FindPlaced<Reader, GroupRecord>;
  readonly lock: FindPlaced<Tx, GroupRecord>;
  /** Those of these keys that there are; they are kept. */
  readonly keepAll: (
    tx: Tx,
    partition: string,
    keys: readonly string[],
  ) => Promise<readonly GroupRecord[]>;
  readonly byUids: (reader: Reader, uids: readonly string[]) => Promise<readonly GroupRecord[]>;
  readonly list: (
    reader: Reader,
    filter: PartitionFilter,
    page: Page,
  ) => Promise<readonly GroupRecord[]>;
  /** Members by uid of the group. */
  readonly countMembers: (
    reader: Reader,
    groups: readonly GroupRecord[],
  ) => Promise<ReadonlyMap<string, number>>;
  readonly countInPartition: (reader: Reader, partition: string) => Promise<number>;
  /** Names of some of the groups that lie in it. */
  readonly childNames: (reader: Reader, group: GroupRecord) => Promise<readonly string[]>;
  /** How many levels of groups lie in it, at most `levelsMax`. */
  readonly levelsBelow: (reader: Reader, group: GroupRecord, levelsMax: number) => Promise<number>;
  /** Names of some of the groups that share one of them. */
  readonly sharing: (
    reader: Reader,
    providers: readonly ProviderRecord[],
  ) => Promise<readonly string[]>;
  /** Names of some that say how far they are from it. */
  readonly distancesTo: (reader: Reader, group: GroupRecord) => Promise<readonly string[]>;
  /** Names of some that use the distance type, or of it only steps other than these. */
  readonly distancesOf: (
    reader: Reader,
    type: string,
    stepsKept: readonly string[],
  ) => Promise<readonly string[]>;
};

export type DiscoveryFilter = PartitionFilter & { readonly state?: DiscoveryState };

export type DiscoveryRecords = {
  /** Writes new ones and locked ones. */
  readonly writeAll: (
    tx: Tx,
    writes: readonly { readonly record: DiscoveryRecord; readonly isNew: boolean }[],
  ) => Promise<void>;
  readonly find: FindPlaced<Reader, DiscoveryRecord>;
  readonly lock: FindPlaced<Tx, DiscoveryRecord>;
  /** Those of these ids that there are, locked. */
  readonly lockAll: (
    tx: Tx,
    partition: string,
    ids: readonly string[],
  ) => Promise<readonly DiscoveryRecord[]>;
  readonly list: (
    reader: Reader,
    filter: DiscoveryFilter,
    page: Page,
  ) => Promise<readonly DiscoveryRecord[]>;
  readonly remove: (tx: Tx, record: DiscoveryRecord) => Promise<void>;
  /** Removes proposals that were found last before; answers how many. */
  readonly removeUnseen: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
  readonly removeInPartition: (tx: Tx, partition: string) => Promise<void>;
};

export type InventoryRecords = {
  readonly partitions: NamedRecords<PartitionRecord, PartitionFilter>;
  readonly capabilities: CodeRecords;
  readonly resourceTypes: CodeRecords;
  readonly distanceTypes: CodeRecords;
  readonly groups: GroupRecords;
  readonly providers: ProviderRecords;
  readonly discoveries: DiscoveryRecords;
};

/** What takes capacity away is decided by the scheduler's leader before it is written here. */
export type CapacityDecisions = {
  /**
   * Records all of it in one step, or finds that it is recorded. Errors: failed_precondition IN_USE
   * when something does not fit; unavailable when it may have been recorded; see isCertainNo.
   */
  readonly reshape: (change: CapacityChange, call: CallOptions) => Promise<void>;
  /** Names of some of the claims that hold something of it; empty when that is not known. */
  readonly claimsOn: (
    provider: { readonly partition: string; readonly uid: string },
    call: CallOptions,
  ) => Promise<readonly string[]>;
};

export type CapacityChange = {
  readonly partition: string;
  /** What providers offer from a generation on; at most 32. */
  readonly parts: readonly Omit<ReshapePart, 'inventories'>[];
  readonly moves: readonly AllocationMove[];
};

/** What metadata's definitions say of properties. */
export type PropertyKinds = {
  /** Kinds by key, for a kind of object such as "runm.provider"; empty when that is not known. */
  readonly of: (objectKind: string) => Promise<ReadonlyMap<string, string>>;
};
