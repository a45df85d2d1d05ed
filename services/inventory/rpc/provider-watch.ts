import { create, type MessageShape } from '@bufbuild/protobuf';
import type { Provider } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type ProviderEvent,
  ProviderEventSchema,
  type ProviderService,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { HasValues } from '../../runtime/context.ts';
import type { WatchEvents } from '../../runtime/watch.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';
import type { RpcDeps } from './deps.ts';
import { watchPlaced } from './placed-watch.ts';

type Watch = {
  readonly request: MessageShape<typeof ProviderService.method.watchProviders.input>;
  readonly context: HasValues;
  readonly show: (record: ProviderRecord) => Provider;
};

export const watchProviders = (deps: RpcDeps, { request, context, show }: Watch) => {
  const { providers } = deps.records;
  return watchPlaced(deps, {
    noun: 'provider',
    request,
    context,
    list: (reader, filter, page) => providers.list(reader, { ...filter, terms: [] }, page),
    byUids: providers.byUids,
    complete: async (_, records: readonly ProviderRecord[]) => records,
    // The stored form is longer than the message, so its length is a safe measure.
    bytesOf: ({ doc }) => Buffer.byteLength(doc),
    nameOf: providerName,
    events: eventsOf(show),
  });
};

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
