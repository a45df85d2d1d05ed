/** What every stored object of this service has. Times are milliseconds since 1970. */
export type RecordHead = {
  readonly uid: string;
  /** Last segment of the name, as it was given. */
  readonly id: string;
  /** Grows with every write of what callers see; the etag is made of it. */
  readonly version: number;
  readonly createMs: number;
  readonly updateMs: number;
};

/** A record whose searched parts are columns and whose rest is the JSON form of its contract. */
export type NamedRecord = RecordHead & { readonly doc: string };
export type PartitionRecord = NamedRecord;
export type CapabilityRecord = NamedRecord;

export type ProviderRecord = NamedRecord & {
  readonly partition: string;
  /** Grows when spec changes. */
  readonly generation: number;
  /** Which generations were handed out to changes that the scheduler decides first. */
  readonly reserved: Reservation;
  /** Empty: a root. */
  readonly parentUid: string;
};

export type Reservation = {
  /** The newest generation that was handed out; never below the record's own. */
  readonly generation: number;
  /** Names the change that holds it; empty: none is under way. */
  readonly holder: string;
  /** When it was taken; 0: none is under way. */
  readonly sinceMs: number;
};

/** What of a provider is searched in tables of its own. */
export type ProviderParts = {
  readonly capabilities: readonly string[];
  readonly nics: readonly { readonly label: string; readonly mac: string }[];
};

export const newHead = (made: {
  readonly uid: string;
  readonly id: string;
  readonly nowMs: number;
}): RecordHead => ({
  uid: made.uid,
  id: made.id,
  version: 1,
  createMs: made.nowMs,
  updateMs: made.nowMs,
});

export const partitionName = ({ id }: { readonly id: string }): string => `partitions/${id}`;
export const capabilityName = ({ id }: { readonly id: string }): string => `capabilities/${id}`;
export const providerName = (record: { readonly partition: string; readonly id: string }): string =>
  `partitions/${record.partition}/providers/${record.id}`;

/** Names compare without regard to case. */
export const keyOf = (id: string): string => id.toLowerCase();

const PROVIDER_CHANGE = 'provider/';

/**
 * The kind under which the change feed tells of the providers of a partition: a watcher of one
 * partition is not woken by the others, and one who may not see a partition does not hear of it.
 */
export const providerChangeKind = (partition: string): string =>
  `${PROVIDER_CHANGE}${keyOf(partition)}`;

/** The partition (in lower case) of such a kind; undefined when it is about something else. */
export const partitionOfChange = (kind: string): string | undefined =>
  kind.startsWith(PROVIDER_CHANGE) ? kind.slice(PROVIDER_CHANGE.length) : undefined;
