import { ProviderSchema, ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type ProviderFilter as FilterMessage,
  ProviderService,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessFor } from '../../runtime/access.ts';
import { accessOf, type HasValues, identityOf } from '../../runtime/context.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { keyOf, type ProviderRecord } from '../domain/records.ts';
import type { ProviderFilter } from '../ports.ts';
import {
  absent,
  demandPartition,
  pageOf,
  parseProviderName,
  placedKey,
  placedPartitions,
  type RpcDeps,
} from './deps.ts';
import { providerChanges } from './provider-change.ts';
import { providerDeletions } from './provider-delete.ts';
import { providerImport } from './provider-import.ts';
import { providerMessage } from './provider-message.ts';
import { providerObservations } from './provider-observe.ts';
import { providerReshape } from './provider-reshape.ts';
import { typeTerm } from './provider-rules.ts';
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
      const only = partition ? [partition.id] : placedPartitions(accessOf(context));
      const page = pageOf(deps, request, [request.parent, request.filter]);
      const filter: ProviderFilter = { only, ...filterOf(request.filter) };
      const rows = await store.read((reader) => records.providers.list(reader, filter, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: ProviderSchema,
        toMessage: (row) => show(row, context),
        keyOf: placedKey,
      });
      return { providers: messages, nextPageToken };
    },
    ...providerChanges(deps, show),
    ...providerDeletions(deps),
    ...providerReshape(deps, show),
    ...providerImport(deps),
    ...providerObservations(deps, show),
    watchProviders: (request, context) =>
      watchProviders(deps, { request, context, show: (record) => show(record, context) }),
  });
};

const filterOf = (filter: FilterMessage | undefined): Omit<ProviderFilter, 'only'> => {
  if (filter === undefined) return { terms: [] };
  const { group, capability, resourceType, tag, type, inTree } = filter;
  const terms: ProviderFilter['terms'] = [
    ...(tag === '' ? [] : [{ kind: 'tag' as const, term: tag }]),
    ...(capability === '' ? [] : [{ kind: 'capability' as const, term: keyOf(capability) }]),
    ...(resourceType === '' ? [] : [{ kind: 'resource_type' as const, term: keyOf(resourceType) }]),
    ...(type === ProviderType.UNSPECIFIED ? [] : [{ kind: 'type' as const, term: typeTerm(type) }]),
  ];
  return {
    terms,
    ...(group !== '' && { group: keyOf(group) }),
    ...(inTree !== '' && { inTree: inTree.slice(inTree.lastIndexOf('/') + 1) }),
  };
};
