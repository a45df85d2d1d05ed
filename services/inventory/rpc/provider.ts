import { ProviderSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessFor } from '../../runtime/access.ts';
import { accessOf, type HasValues, identityOf } from '../../runtime/context.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { ProviderRecord } from '../domain/records.ts';
import {
  absent,
  demandPartition,
  pageOf,
  parseProviderName,
  providerKey,
  providerPartitions,
  type RpcDeps,
} from './deps.ts';
import { providerChanges } from './provider-change.ts';
import { providerMessage } from './provider-message.ts';
import { watchProviders } from './provider-watch.ts';

export const providerRpc = (deps: RpcDeps): Implementation => {
  const { store, records } = deps;
  const show = (record: ProviderRecord, context: HasValues) => {
    const identity = identityOf(context);
    const mayUpdate = accessFor(identity, 'provider.update');
    const seesAll =
      identity.kind === 'service' || mayUpdate.covers({ partition: record.partition });
    return providerMessage(record, { incarnation: store.incarnation(), seesAll });
  };
  return implement(ProviderService, {
    getProvider: async ({ name }, context) => {
      const { partition, provider } = parseProviderName(name, 'name');
      const record = await store.read((reader) =>
        records.providers.find(reader, partition, provider),
      );
      if (!record || !accessOf(context).covers({ partition: record.partition })) throw absent(name);
      return { provider: show(record, context) };
    },
    listProviders: async (request, context) => {
      const partition = await demandPartition(deps, request.parent);
      const only = partition ? [partition.id] : providerPartitions(accessOf(context));
      const page = pageOf(deps, request, request.parent);
      const rows = await store.read((reader) => records.providers.list(reader, { only }, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: ProviderSchema,
        toMessage: (row) => show(row, context),
        keyOf: providerKey,
      });
      return { providers: messages, nextPageToken };
    },
    ...providerChanges(deps, show),
    watchProviders: (request, context) =>
      watchProviders(deps, { request, context, show: (record) => show(record, context) }),
  });
};
