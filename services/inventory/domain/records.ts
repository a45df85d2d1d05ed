import type { Identifier } from './identifiers.ts';

/** What every stored object of this service has. Times are milliseconds since 1970. */
export type RecordHead = {
  readonly uid: string;
  /** Last segment of the name, as it was given. */
  readonly id: string;
  /** Grows with every write of what callers see; the etag is made of it. */
  readonly version: number;
  /** Grows when spec changes. */
  readonly generation: number;
  readonly createMs: number;
  readonly updateMs: number;
};

/** A record whose searched parts are columns and whose rest is the JSON form of its contract. */
export type NamedRecord = RecordHead & { readonly doc: string };
export type PartitionRecord = NamedRecord;
export type CapabilityRecord = NamedRecord;
export type ResourceTypeRecord = NamedRecord;
export type DistanceTypeRecord = NamedRecord;

export type GroupRecord = NamedRecord & {
  readonly partition: string;
  /** Key of the group in which it lies; empty: none. */
  readonly parentKey: string;
};

export type ProviderRecord = NamedRecord & {
  readonly partition: string;
  /** Which generations were handed out to changes that the scheduler decides first. */
  readonly reserved: Reservation;
  /** Empty: a root. */
  readonly parentUid: string;
  /** Uid of the provider at the top of its tree; its own for a root. */
  readonly rootUid: string;
  /** JSON of what was seen of it (rpc/observation.ts); empty: nothing yet. */
  readonly observed: string;
};

export type DiscoveryState = 'proposed' | 'accepted' | 'rejected';

/** What a scan found, in the JSON form of its contract. */
export type DiscoveryRecord = NamedRecord & {
  readonly partition: string;
  readonly state: DiscoveryState;
};

export type Reservation = {
  /** The newest generation that was handed out; never below the record's own. */
  readonly generation: number;
  /** Names the change that holds it; empty: none is under way. */
  readonly holder: string;
  /** When it was taken; 0: none is under way. */
  readonly sinceMs: number;
  /** JSON of the reshape that it is for (domain/reshape-intent.ts); empty: none. */
  readonly intent: string;
  /** Who held it for the last reshape that was written; empty: nobody. */
  readonly finished: string;
};

/** What lists of providers are filtered by; and the controllers at which they name a system. */
export type TermKind = 'capability' | 'chassis' | 'group' | 'resource_type' | 'tag' | 'type';
export type Term = readonly [kind: TermKind, term: string];

/** How far something says that it is from a group. */
export type PlaceDistance = {
  readonly type: string;
  readonly group: string;
  readonly step: string;
};

/** What of a provider is searched in tables of its own. */
export type ProviderParts = {
  readonly terms: readonly Term[];
  readonly identifiers: readonly Identifier[];
  readonly distances: readonly PlaceDistance[];
};

/** What of a group is searched in tables of its own. */
export type GroupParts = {
  readonly sharedProviders: readonly string[];
  readonly distances: readonly PlaceDistance[];
};

export const newHead = (made: {
  readonly uid: string;
  readonly id: string;
  readonly nowMs: number;
}): RecordHead => ({
  uid: made.uid,
  id: made.id,
  version: 1,
  generation: 1,
  createMs: made.nowMs,
  updateMs: made.nowMs,
});

export const partitionName = ({ id }: { readonly id: string }): string => `partitions/${id}`;
export const capabilityName = ({ id }: { readonly id: string }): string => `capabilities/${id}`;
export const resourceTypeName = ({ id }: { readonly id: string }): string => `resourceTypes/${id}`;
export const distanceTypeName = ({ id }: { readonly id: string }): string => `distanceTypes/${id}`;
export const groupName = (record: { readonly partition: string; readonly id: string }): string =>
  `partitions/${record.partition}/groups/${record.id}`;
export const discoveryName = (record: {
  readonly partition: string;
  readonly id: string;
}): string => `partitions/${record.partition}/discoveries/${record.id}`;
export const providerName = (record: { readonly partition: string; readonly id: string }): string =>
  `partitions/${record.partition}/providers/${record.id}`;

/** Names compare without regard to case. */
export const keyOf = (id: string): string => id.toLowerCase();

/**
 * The kinds under which the change feed tells of what is in a partition: a watcher of one partition
 * is not woken by the others, and one who may not see a partition does not hear of it.
 */
export const placedChangeKind = (
  noun: 'provider' | 'group' | 'discovery',
  partition: string,
): string => `${noun}/${keyOf(partition)}`;

/** The partition (in lower case) of such a kind; undefined when it is about something else. */
export const partitionOfChange = (noun: 'provider' | 'group', kind: string): string | undefined =>
  kind.startsWith(`${noun}/`) ? kind.slice(noun.length + 1) : undefined;
