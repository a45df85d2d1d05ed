import { create, type MessageShape } from '@bufbuild/protobuf';
import {
  type ProviderGroupEvent,
  ProviderGroupEventSchema,
  type ProviderGroupService,
} from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import type { HasValues } from '../../runtime/context.ts';
import type { WatchEvents } from '../../runtime/watch.ts';
import { groupName } from '../domain/records.ts';
import type { RpcDeps } from './deps.ts';
import { type CountedGroup, counted, showGroup } from './group-message.ts';
import { watchPlaced } from './placed-watch.ts';

type Watch = {
  readonly request: MessageShape<typeof ProviderGroupService.method.watchProviderGroups.input>;
  readonly context: HasValues;
};

export const watchGroups = (deps: RpcDeps, { request, context }: Watch) => {
  const { groups } = deps.records;
  return watchPlaced(deps, {
    noun: 'group',
    request,
    context,
    list: groups.list,
    byUids: groups.byUids,
    complete: (reader, records) => counted(deps, reader, records),
    bytesOf: ({ doc }) => Buffer.byteLength(doc),
    nameOf: groupName,
    events: eventsOf(deps),
  });
};

const event = (content: ProviderGroupEvent['event']): ProviderGroupEvent =>
  create(ProviderGroupEventSchema, { event: content });

const eventsOf = (deps: RpcDeps): WatchEvents<CountedGroup, ProviderGroupEvent> => ({
  created: (group) => event({ case: 'created', value: showGroup(deps, group) }),
  updated: (group) => event({ case: 'updated', value: showGroup(deps, group) }),
  deleted: ({ uid, name, leftView }) =>
    event({
      case: 'deleted',
      value: { $typeName: 'runmachine.inventory.v1.ProviderGroupRemoved', uid, name, leftView },
    }),
  synced: () =>
    event({ case: 'synced', value: { $typeName: 'runmachine.inventory.v1.ProviderGroupSynced' } }),
  bookmark: () =>
    event({
      case: 'bookmark',
      value: { $typeName: 'runmachine.inventory.v1.ProviderGroupBookmark' },
    }),
});
