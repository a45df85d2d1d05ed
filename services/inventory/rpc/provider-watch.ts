import { create, type MessageShape } from '@bufbuild/protobuf';
import type { Provider } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type ProviderEvent,
  ProviderEventSchema,
  type ProviderService,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessOf, callOf, type HasValues } from '../../runtime/context.ts';
import { PAGE_BYTES_MAX, PAGE_SIZE_MAX } from '../../runtime/message-page.ts';
import { type WatchEvents, watchResponses } from '../../runtime/watch.ts';
import {
  type PartitionRecord,
  type ProviderRecord,
  partitionOfChange,
  providerChangeKind,
  providerName,
} from '../domain/records.ts';
import { demandPartition, pageOf, providerKey, providerPartitions, type RpcDeps } from './deps.ts';

type Request = MessageShape<typeof ProviderService.method.watchProviders.input>;

type Watch = {
  readonly request: Request;
  readonly context: HasValues;
  readonly show: (record: ProviderRecord) => Provider;
};

export async function* watchProviders(deps: RpcDeps, { request, context, show }: Watch) {
  const { store, records } = deps;
  const { signal } = callOf(context);
  const partition = await demandPartition(deps, request.parent);
  const isVisible = (id: string): boolean => accessOf(context).covers({ partition: id });
  const kinds = partition ? { kinds: [providerChangeKind(partition.id)] } : {};
  yield* watchResponses({
    resumeToken: request.resumeToken,
    signal,
    head: () => store.changes.head(),
    present: () => presentPages(deps, context, partition),
    // Over all partitions everything is followed: which of them the caller sees may change.
    follow: (token) => store.changes.follow({ token, ...kinds, signal }),
    load: async (uids) => {
      const rows = await store.read((reader) => records.providers.byUids(reader, uids));
      return rows.filter((row) => isVisible(row.partition));
    },
    concerns: ({ kind }) => {
      const changed = partitionOfChange(kind);
      return changed !== undefined && isVisible(changed);
    },
    identify: (record) => ({ uid: record.uid, name: providerName(record) }),
    events: eventsOf(show),
  });
}

const event = (content: ProviderEvent['event']): ProviderEvent =>
  create(ProviderEventSchema, { event: content });

const eventsOf = (
  show: (record: ProviderRecord) => Provider,
): WatchEvents<ProviderRecord, ProviderEvent> => ({
  created: (record) => event({ case: 'created', value: show(record) }),
  updated: (record) => event({ case: 'updated', value: show(record) }),
  deleted: ({ uid, name, leftView }) =>
    event({
      case: 'deleted',
      value: { $typeName: 'runmachine.inventory.v1.ProviderRemoved', uid, name, leftView },
    }),
  synced: () =>
    event({ case: 'synced', value: { $typeName: 'runmachine.inventory.v1.ProviderSynced' } }),
  bookmark: () =>
    event({ case: 'bookmark', value: { $typeName: 'runmachine.inventory.v1.ProviderBookmark' } }),
});

/** The present set, in responses of at most about 1 MiB. */
async function* presentPages(
  deps: RpcDeps,
  context: HasValues,
  partition: PartitionRecord | undefined,
): AsyncGenerator<readonly ProviderRecord[]> {
  const { store, records } = deps;
  for (let pageToken = ''; ; ) {
    const page = pageOf(deps, { pageSize: PAGE_SIZE_MAX, pageToken }, 'watch');
    const only = partition ? [partition.id] : providerPartitions(accessOf(context));
    const rows = await store.read((reader) => records.providers.list(reader, { only }, page));
    const kept = rows.slice(0, page.size);
    yield* cutBySize(kept);
    const last = kept.at(-1);
    if (last === undefined || rows.length === kept.length) return;
    pageToken = page.tokenAt(providerKey(last));
  }
}

/** The stored form is longer than the message, so its length is a safe measure. */
function* cutBySize(rows: readonly ProviderRecord[]): Generator<readonly ProviderRecord[]> {
  let part: ProviderRecord[] = [];
  let bytes = 0;
  for (const row of rows) {
    const rowBytes = Buffer.byteLength(row.doc);
    if (part.length > 0 && bytes + rowBytes > PAGE_BYTES_MAX) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(row);
    bytes += rowBytes;
  }
  if (part.length > 0) yield part;
}
