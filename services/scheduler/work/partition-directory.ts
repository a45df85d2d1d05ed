/**
 * Which partitions there are. Inventory has no watch of them, so they are listed now and then, and
 * when one is missed.
 */
import { createClient } from '@connectrpc/connect';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { abortable, slept } from '../../store/coordination/waiting.ts';
import { keyOf } from '../domain/claim.ts';
import type { DirectoryDeps } from './provider-directory.ts';

export type PartitionDirectory = {
  /** Ids as inventory spells them, in their order. */
  readonly all: () => readonly string[];
  /** The id as inventory spells it; looks again before it says undefined. Errors: unavailable. */
  readonly find: (id: string, signal: AbortSignal) => Promise<string | undefined>;
  /** True once they were listed. */
  readonly isKnown: () => boolean;
  /** Lists again and again until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

const PAUSE_MS = 5_000;
const FIRST_PAUSE_MS = 200;
const CALL_MS = 5_000;
const PAGE = 1_000;

export const createPartitionDirectory = (
  deps: DirectoryDeps,
  onChange: (ids: readonly string[]) => void,
): PartitionDirectory => {
  const client = createClient(PartitionService, deps.transport);
  let ids: readonly string[] = [];
  let isKnown = false;
  let looking: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    const found: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await asDomain(
        client.listPartitions({ pageSize: PAGE, pageToken }, { timeoutMs: CALL_MS }),
      );
      for (const { name } of page.partitions) {
        const id = PARTITION.parse(name)?.partition;
        if (id !== undefined) found.push(id);
      }
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    isKnown = true;
    const before = ids;
    ids = found.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    if (before.join('/') !== ids.join('/')) onChange(ids);
  };
  /** One look at a time serves everybody who asks meanwhile. */
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const known = (id: string): string | undefined => ids.find((one) => keyOf(one) === keyOf(id));

  return {
    all: () => ids,
    isKnown: () => isKnown,
    find: async (id, signal) => {
      const there = known(id);
      if (there !== undefined) return there;
      await abortable(lookOnce(), signal);
      return known(id);
    },
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          await abortable(lookOnce(), signal);
        } catch (error) {
          if (signal.aborted) return;
          deps.log.debug({ err: error }, 'partitions cannot be listed');
        }
        await slept(deps.clock, isKnown ? PAUSE_MS : FIRST_PAUSE_MS, signal);
      }
    },
  };
};

const PARTITION = namePattern('partitions/{partition}');
