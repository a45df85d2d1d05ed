/**
 * Where rpc, work and store meet. work/ follows coordination and inventory and leads partitions;
 * rpc/ reads what it follows and gives it commands; store/ keeps the history.
 */
import type { Access } from '../runtime/access.ts';
import type { CapacityRecord, Offers, ProviderFacts } from './domain/capacity.ts';
import type { ClaimRecord } from './domain/claim.ts';
import type { ClaimBook } from './domain/claim-book.ts';
import type { Surroundings } from './domain/claim-state.ts';
import type { Command, LogBatch } from './domain/command.ts';
import type { PartitionState } from './domain/partition-state.ts';
import type { QuotaRecord } from './domain/quota.ts';
import type { QuotaUses } from './domain/quota-book.ts';
import type { Topology } from './domain/topology.ts';
import type { Use } from './domain/usage-report.ts';

/** What is committed of one partition, as far as this replica knows. */
export type PartitionView = {
  /** Its id as inventory spells it. */
  readonly partition: string;
  readonly claims: ClaimBook;
  readonly capacity: (providerUid: string) => CapacityRecord | undefined;
  /** Uids of providers that have a capacity record, in their order, from this one on. */
  readonly capacityUidsFrom: (first?: string) => Iterable<string>;
  /** Everything of this partition up to this store revision is here. */
  readonly revision: () => bigint;
  /** Store revision that holds the claim's present state. */
  readonly revisionOf: (claimUid: string) => bigint;
  readonly quota: (project: string) => QuotaRecord | undefined;
  readonly quotas: () => Iterable<QuotaRecord>;
  /** What each of the projects and all below it use, by its key. */
  readonly quotaUses: (projects: readonly string[]) => QuotaUses;
  readonly facts: (providerUid: string) => ProviderFacts | undefined;
  readonly offersOf: (providerUid: string) => Offers;
  /** What the states of claims follow from. */
  readonly around: Surroundings;
  /** The newest time known: of this replica or of the last commit, whichever is later. */
  readonly nowMs: () => number;
};

/** A change of a claim, in the order of the store. */
export type ClaimChange = {
  readonly revision: bigint;
  /** Lower case. */
  readonly partition: string;
  /** Of the claim; undefined = it is gone, and nobody here knew it. */
  readonly project: string | undefined;
  readonly uid: string;
  readonly deleted: boolean;
};

export type ChangeBatch = {
  /** Empty = a bookmark. */
  readonly changes: readonly ClaimChange[];
  readonly revision: bigint;
};

/** The follower of coordination, for reads. */
export type Reading = {
  /** Resolves once claims can be read. Errors: unavailable COORDINATION_UNAVAILABLE. */
  readonly untilReady: (signal: AbortSignal) => Promise<void>;
  /** Partitions that exist, in the order of their ids. */
  readonly partitions: () => readonly PartitionView[];
  /** undefined = inventory does not know it; asked again before that is said. */
  readonly find: (partition: string, signal: AbortSignal) => Promise<PartitionView | undefined>;
  readonly revision: () => bigint;
  /** Resolves once that revision was followed. */
  readonly untilRevision: (revision: bigint, signal: AbortSignal) => Promise<void>;
  /**
   * Changes behind the revision as they come, until the signal aborts. Errors: out_of_range
   * RESUME_TOKEN_EXPIRED when they are no longer known here.
   */
  readonly follow: (after: bigint, signal: AbortSignal) => AsyncGenerator<ChangeBatch, void, void>;
};

export type Granted =
  | { readonly kind: 'claim'; readonly claim: ClaimRecord; readonly revision: bigint }
  | { readonly kind: 'capacity'; readonly revision: bigint }
  | { readonly kind: 'reshape'; readonly claims: number; readonly revision: bigint }
  | { readonly kind: 'quota'; readonly quota: QuotaRecord; readonly revision: bigint };

/** The leader of a partition, when it is this replica. */
export type LocalLeader = {
  /**
   * Decides and commits. Errors: refusals of the domain; unavailable NOT_LEADER (nothing was
   * decided), OUTCOME_UNKNOWN (retry with the same request id) or BUSY.
   */
  readonly submit: (command: Command, signal: AbortSignal) => Promise<Granted>;
  /** The same of several of one caller, in their order and each for itself. */
  readonly submitAll: (
    commands: readonly Command[],
    signal: AbortSignal,
  ) => Promise<readonly PromiseSettledResult<Granted>[]>;
  /**
   * Looks at what the leader knows, decided changes included, without changing it. Searches are
   * spread over time, callers in turn, so that decisions go on. Errors: those of `search`;
   * unavailable NOT_LEADER, BUSY, or SERVICE_UNAVAILABLE while it is not known where claims could
   * be placed.
   */
  readonly read: <T>(caller: string, search: Search<T>, signal: AbortSignal) => Promise<T>;
  /**
   * The same at once, for what takes no time and needs no providers. Throws errors of `look`;
   * unavailable NOT_LEADER.
   */
  readonly glance: <T>(look: Look<T>) => T;
};

/** Pure and synchronous. */
export type Look<T> = (state: PartitionState, nowMs: number) => T;

/** The same in steps: it pauses where others may go on, and the state with them. */
export type Search<T> = (state: PartitionState, nowMs: number) => Iterator<void, T>;

/** Who leads a partition. */
export type Leaders = {
  /** undefined = this replica does not lead it, or is not ready to. */
  readonly local: (partition: string) => LocalLeader | undefined;
  /** Address of the leader elsewhere; undefined = there is none, or it is this replica. */
  readonly addressOf: (partition: string) => string | undefined;
};

/** Codes that inventory knows. */
export type Catalogue = {
  /** The codes of these that are unknown; looks again before it says so. Errors: unavailable. */
  readonly unknownResourceTypes: (
    codes: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly string[]>;
  readonly unknownCapabilities: (
    codes: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly string[]>;
};

/** How providers lie to each other. */
export type Topologies = {
  readonly of: (partition: string) => Topology;
  /**
   * Looks again for what is named and not known here: what is unknown afterwards does not exist.
   * Errors: unavailable.
   */
  readonly learn: (
    partition: string,
    named: {
      /** Ids, lower case. */
      readonly groups: readonly string[];
      readonly distanceTypes: readonly string[];
      /** Keys. */
      readonly properties: readonly string[];
    },
    signal: AbortSignal,
  ) => Promise<void>;
};

export type ProjectPlace = {
  /** As metadata spells it. */
  readonly id: string;
  /** The projects in which it lies, nearest first, as keys. */
  readonly ancestors: readonly string[];
};

/** The projects that metadata knows. */
export type Projects = {
  /** Undefined = there is none. Errors: unavailable. */
  readonly find: (project: string, signal: AbortSignal) => Promise<ProjectPlace | undefined>;
};

/** One resource type that a past claim used. */
export type PastUse = Use & { readonly claimUid: string };

export type UseQuery = {
  readonly fromMs: number;
  readonly untilMs: number;
  /** undefined = all. */
  readonly partition: string | undefined;
  readonly project: string | undefined;
  readonly access: Pick<Access, 'everything' | 'projects' | 'partitions' | 'pairs'>;
};

/** What past claims used, in SQL. */
export type PastUses = {
  /** Those that overlap the time, in pages. */
  readonly pages: (query: UseQuery) => AsyncIterable<readonly PastUse[]>;
};

/** Past changes and claims, in SQL. */
export type History = {
  /**
   * All of them or none, durable when it resolves; those that are recorded already are passed over.
   * They come in the order of their numbers and may be asked for again. `endedBy` are claims that a
   * batch brought to their end.
   */
  readonly record: (
    partition: string,
    batches: Iterable<LogBatch>,
    endedBy: (batch: LogBatch) => readonly ClaimRecord[],
  ) => Promise<void>;
  /** Number of the newest recorded batch; 0 = none. */
  readonly collected: (partition: string) => Promise<number>;
};
