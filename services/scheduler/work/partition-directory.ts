/**
 * Which partitions there are, and what is set for the types of their providers. Inventory has no
 * watch of them, so they are listed now and then, and when one is missed.
 */
import { createClient } from '@connectrpc/connect';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import { keyOf } from '../domain/claim.ts';
import { createPolled } from './polled.ts';
import type { DirectoryDeps } from './provider-directory.ts';
import { turnaroundOf } from './topology-message.ts';

export type PartitionDirectory = {
  /** Ids as inventory spells them, in their order. */
  readonly all: () => readonly string[];
  /** The id as inventory spells it; looks again before it says undefined. Errors: unavailable. */
  readonly find: (id: string, signal: AbortSignal) => Promise<string | undefined>;
  /** What whole machines need between two claims, by provider type. */
  readonly turnaround: (id: string) => ReadonlyMap<string, number>;
  /** True once they were listed. */
  readonly isKnown: () => boolean;
  /** Lists again and again until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

export type PartitionListener = {
  /** There are others than before. */
  readonly onIds: (ids: readonly string[]) => void;
  /** Something else is set for provider types. */
  readonly onSettings: () => void;
};

const PAGE = 1_000;
const NOTHING: ReadonlyMap<string, number> = new Map();

type Listed = {
  readonly ids: readonly string[];
  readonly turnarounds: ReadonlyMap<string, ReadonlyMap<string, number>>;
};

export const createPartitionDirectory = (
  deps: DirectoryDeps,
  { onIds, onSettings }: PartitionListener,
): PartitionDirectory => {
  const client = createClient(PartitionService, deps.transport);
  const list = async (timeoutMs: number): Promise<Listed> => {
    const ids: string[] = [];
    const turnarounds = new Map<string, ReadonlyMap<string, number>>();
    for (let pageToken = ''; ; ) {
      const page = await client.listPartitions({ pageSize: PAGE, pageToken }, { timeoutMs });
      for (const partition of page.partitions) {
        const id = PARTITION.parse(partition.name)?.partition;
        if (id === undefined) continue;
        ids.push(id);
        turnarounds.set(keyOf(id), turnaroundOf(partition));
      }
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    return { ids: ids.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)), turnarounds };
  };
  const polled = createPolled<Listed>(deps, {
    what: 'partitions',
    read: list,
    onRead: (listed, before) => {
      if ((before?.ids ?? []).join('/') !== listed.ids.join('/')) onIds(listed.ids);
      if (before === undefined || settingsOf(before) !== settingsOf(listed)) onSettings();
    },
  });
  const known = (id: string): string | undefined =>
    polled.value()?.ids.find((one) => keyOf(one) === keyOf(id));

  return {
    all: () => polled.value()?.ids ?? [],
    isKnown: () => polled.value() !== undefined,
    turnaround: (id) => polled.value()?.turnarounds.get(keyOf(id)) ?? NOTHING,
    find: async (id, signal) => {
      const there = known(id);
      if (there !== undefined) return there;
      await polled.look(signal);
      return known(id);
    },
    run: polled.run,
  };
};

const PARTITION = namePattern('partitions/{partition}');

const settingsOf = ({ turnarounds }: Listed): string =>
  JSON.stringify([...turnarounds].map(([id, ofTypes]) => [id, [...ofTypes]]).sort());
