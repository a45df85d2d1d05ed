import { create, type MessageShape } from '@bufbuild/protobuf';
import type { Provider } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type ProviderEvent,
  ProviderEventSchema,
  type ProviderService,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessOf, callOf, type HasValues } from '../../runtime/context.ts';
import { type WatchEvents, watchResponses } from '../../runtime/watch.ts';
import type { ProviderRecord } from '../domain/records.ts';
import { pageOf, partitionOf, type RpcDeps, visiblePartitions } from './deps.ts';

type Request = MessageShape<typeof ProviderService.method.watchProviders.input>;

type Watch = {
  readonly request: Request;
  readonly context: HasValues;
  readonly show: (record: ProviderRecord) => Provider;
};

const event = (content: ProviderEvent['event']): ProviderEvent =>
  create(ProviderEventSchema, { event: content });

export const watchProviders = (deps: RpcDeps, { request, context, show }: Watch) => {
  const { store, records } = deps;
  const { signal } = callOf(context);
  const partition = partitionOf(request.parent);
  const isWanted = (record: ProviderRecord): boolean =>
    (partition === '' || record.partition.toLowerCase() === partition.toLowerCase()) &&
    accessOf(context).covers({ partition: record.partition });
  const events: WatchEvents<ProviderRecord, ProviderEvent> = {
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
  };
  return watchResponses({
    resumeToken: request.resumeToken,
    signal,
    head: () => store.changes.head(),
    present: async function* () {
      let pageToken = '';
      do {
        const page = pageOf(deps, { pageSize: 1000, pageToken }, request.parent);
        const filter = { partition, only: visiblePartitions(accessOf(context)) };
        const rows = await store.read((reader) => records.providers.list(reader, filter, page));
        const kept = rows.slice(0, page.size);
        yield kept;
        const last = kept.at(-1);
        pageToken =
          rows.length > kept.length && last
            ? page.tokenAt([last.partition.toLowerCase(), last.id.toLowerCase()])
            : '';
      } while (pageToken !== '');
    },
    follow: (token) => store.changes.follow({ token, kinds: ['provider'], signal }),
    load: async (uids) =>
      (await store.read((reader) => records.providers.byUids(reader, uids))).filter(isWanted),
    identify: (record) => ({
      uid: record.uid,
      name: `partitions/${record.partition}/providers/${record.id}`,
    }),
    events,
  });
};
