/** What a file to import holds, one after the other, each with where it stands. */
import type { Capability } from '../../../gen/runmachine/inventory/v1/capability_pb.ts';
import type { ProviderGroup } from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import type { Provider } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { ResourceType } from '../../../gen/runmachine/inventory/v1/resource_type_pb.ts';

export type Entry = {
  /** Line of the file where it begins, from 1. */
  readonly line: number;
  /** How much of the file has been read up to its end, for the time left. */
  readonly bytes: number;
} & (
  | { readonly kind: 'provider'; readonly id: string; readonly provider: Provider }
  | {
      readonly kind: 'group';
      readonly id: string;
      readonly group: ProviderGroup;
      /** Fields that a group which is there already gets; absent: everything. */
      readonly paths?: readonly string[];
    }
  | { readonly kind: 'capability'; readonly id: string; readonly capability: Capability }
  | { readonly kind: 'resource type'; readonly id: string; readonly resourceType: ResourceType }
  /** It cannot be read; the rest of the file can. */
  | { readonly kind: 'wrong'; readonly id: string; readonly problem: string }
);

/** What a file says about all of its providers. */
export type Contents = {
  readonly entries: AsyncIterable<Entry>;
  /**
   * Fields that providers which are there already get; undefined: everything. Known once the first
   * entry has been read.
   */
  readonly paths: () => readonly string[] | undefined;
};

export type Source = {
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** What names without one mean. */
  readonly partition: string;
  readonly project: string;
  readonly signal: AbortSignal;
};
