/** Watches of what lies in partitions: providers and groups. */
import { accessOf, callOf, type HasValues } from '../../runtime/context.ts';
import { PAGE_BYTES_MAX, PAGE_SIZE_MAX } from '../../runtime/message-page.ts';
import { type WatchEvents, watchResponses } from '../../runtime/watch.ts';
import type { Page } from '../../store/sql/page.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { type PartitionRecord, partitionOfChange, placedChangeKind } from '../domain/records.ts';
import type { PartitionFilter } from '../ports.ts';
import { demandPartition, pageOf, placedKey, placedPartitions, type RpcDeps } from './deps.ts';

type Placed = { readonly partition: string; readonly id: string; readonly uid: string };

export type PlacedWatch<Record extends Placed, Row extends Placed, Event> = {
  readonly noun: 'provider' | 'group';
  readonly request: { readonly parent: string; readonly resumeToken: string };
  readonly context: HasValues;
  readonly list: (
    reader: Reader,
    filter: PartitionFilter,
    page: Page,
  ) => Promise<readonly Record[]>;
  readonly byUids: (reader: Reader, uids: readonly string[]) => Promise<readonly Record[]>;
  /** Adds what is shown and lies elsewhere. */
  readonly complete: (reader: Reader, records: readonly Record[]) => Promise<readonly Row[]>;
  /** About how long the row's message is. */
  readonly bytesOf: (row: Row) => number;
  readonly nameOf: (row: Row) => string;
  readonly events: WatchEvents<Row, Event>;
};

export async function* watchPlaced<Record extends Placed, Row extends Placed, Event>(
  deps: RpcDeps,
  watch: PlacedWatch<Record, Row, Event>,
) {
  const { store } = deps;
  const { noun, request, context, byUids, complete, nameOf, events } = watch;
  const { signal } = callOf(context);
  const partition = await demandPartition(deps, request.parent);
  const isVisible = (id: string): boolean => accessOf(context).covers({ partition: id });
  const kinds = partition ? { kinds: [placedChangeKind(noun, partition.id)] } : {};
  yield* watchResponses({
    resumeToken: request.resumeToken,
    signal,
    head: () => store.changes.head(),
    present: () => presentPages(deps, watch, partition),
    // Over all partitions everything is followed: which of them the caller sees may change.
    follow: (token) => store.changes.follow({ token, ...kinds, signal }),
    load: async (uids) =>
      store.read(async (reader) => {
        const records = await byUids(reader, uids);
        return complete(
          reader,
          records.filter((record) => isVisible(record.partition)),
        );
      }),
    concerns: ({ kind }) => {
      const changed = partitionOfChange(noun, kind);
      return changed !== undefined && isVisible(changed);
    },
    identify: (row) => ({ uid: row.uid, name: nameOf(row) }),
    events,
  });
}

/** The present set, in responses of at most about 1 MiB. */
async function* presentPages<Record extends Placed, Row extends Placed, Event>(
  deps: RpcDeps,
  watch: PlacedWatch<Record, Row, Event>,
  partition: PartitionRecord | undefined,
): AsyncGenerator<readonly Row[]> {
  const { context, list, complete } = watch;
  for (let pageToken = ''; ; ) {
    const page = pageOf(deps, { pageSize: PAGE_SIZE_MAX, pageToken }, 'watch');
    const only = partition ? [partition.id] : placedPartitions(accessOf(context));
    const records = await deps.store.read((reader) => list(reader, { only }, page));
    const kept = records.slice(0, page.size);
    yield* cutBySize(watch, await deps.store.read((reader) => complete(reader, kept)));
    const last = kept.at(-1);
    if (last === undefined || records.length === kept.length) return;
    pageToken = page.tokenAt(placedKey(last));
  }
}

function* cutBySize<Record extends Placed, Row extends Placed, Event>(
  { bytesOf }: PlacedWatch<Record, Row, Event>,
  rows: readonly Row[],
): Generator<readonly Row[]> {
  let part: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    const rowBytes = bytesOf(row);
    if (part.length > 0 && bytes + rowBytes > PAGE_BYTES_MAX) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(row);
    bytes += rowBytes;
  }
  if (part.length > 0) yield part;
}
