/** What every stored object of this service has. Times are milliseconds since 1970. */
export type RecordHead = {
  readonly uid: string;
  /** Last segment of the name, as it was given. */
  readonly id: string;
  /** Grows with every write of the row; the etag is made of it. */
  readonly version: number;
  readonly createMs: number;
  readonly updateMs: number;
};

/** A record whose searched parts are columns and whose rest is the JSON form of its contract. */
export type PartitionRecord = RecordHead & { readonly doc: string };
export type CapabilityRecord = RecordHead & { readonly doc: string };

export type ProviderRecord = RecordHead & {
  readonly partition: string;
  /** Grows when spec changes. */
  readonly generation: number;
  /** Empty: a root. */
  readonly parentUid: string;
  readonly capabilities: readonly string[];
  readonly nics: readonly { readonly label: string; readonly mac: string }[];
  readonly doc: string;
};

export const providerName = (record: { readonly partition: string; readonly id: string }): string =>
  `partitions/${record.partition}/providers/${record.id}`;
