import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Partition,
  PartitionSchema,
} from '../../../gen/runmachine/inventory/v1/partition_pb.ts';
import {
  CreatePartitionResponseSchema,
  DeletePartitionResponseSchema,
  PartitionService,
} from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { accessOf, requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, closePage, etagOf } from '../../store/sql/page.ts';
import type { PartitionRecord } from '../domain/records.ts';
import { absent, actorOf, lastOf, pageOf, type RpcDeps, visiblePartitions } from './deps.ts';

const toProto = ({ store }: RpcDeps, record: PartitionRecord): Partition =>
  create(PartitionSchema, {
    ...fromJsonString(PartitionSchema, record.doc),
    name: `partitions/${record.id}`,
    uid: record.uid,
    etag: etagOf(record, store.incarnation()),
    generation: 1n,
    createTime: timestampFromMs(record.createMs),
    updateTime: timestampFromMs(record.updateMs),
  });

const docOf = ({ spec, properties, tags }: Partition): string =>
  toJsonString(
    PartitionSchema,
    create(PartitionSchema, { ...(spec ? { spec } : {}), properties, tags }),
  );

export const partitionRpc = (deps: RpcDeps): Implementation => {
  const { store, records, clock, random } = deps;
  return implement(PartitionService, {
    getPartition: async ({ name }, context) => {
      const record = await store.read((reader) => records.partitions.find(reader, lastOf(name)));
      if (!record || !sees(accessOf(context), record.id)) throw absent(name);
      return { partition: toProto(deps, record) };
    },
    listPartitions: async (request, context) => {
      const only = visiblePartitions(accessOf(context));
      const page = pageOf(deps, request, 'partitions');
      const found = await store.read((reader) => records.partitions.list(reader, { only }, page));
      const { rows, nextPageToken } = closePage(page, found, (row) => [row.id.toLowerCase()]);
      return { partitions: rows.map((row) => toProto(deps, row)), nextPageToken };
    },
    createPartition: (request, context) => {
      const nowMs = clock.now().getTime();
      const record: PartitionRecord = {
        uid: random.uid(),
        id: request.partitionId,
        version: 1,
        createMs: nowMs,
        updateMs: nowMs,
        doc: docOf(request.partition ?? create(PartitionSchema)),
      };
      const response = () =>
        create(CreatePartitionResponseSchema, { partition: toProto(deps, record) });
      if (request.validateOnly) return response();
      const key = requestKeyOf(context, CreatePartitionResponseSchema);
      return store.transaction(key, actorOf(context), async (tx) => {
        await records.partitions.insert(tx, record);
        tx.audit({
          action: 'partition.create',
          objectKind: 'partition',
          objectUid: record.uid,
          objectName: `partitions/${record.id}`,
          partition: record.id,
          after: JSON.parse(record.doc),
        });
        return response();
      });
    },
    deletePartition: (request, context) => {
      const key = requestKeyOf(context, DeletePartitionResponseSchema);
      return store.transaction(key, actorOf(context), async (tx) => {
        const record = await records.partitions.find(tx, lastOf(request.name));
        if (!record) {
          if (request.allowMissing) return create(DeletePartitionResponseSchema);
          throw absent(request.name);
        }
        checkEtag(request.etag, etagOf(record, store.incarnation()));
        const providers = await records.providers.countInPartition(tx, record.id);
        if (providers > 0) {
          throw failedPrecondition(
            'IN_USE',
            `Cannot delete partition "${record.id}": it still has ${providers} providers`,
            { metadata: { name: request.name, providers: String(providers) } },
          );
        }
        await records.partitions.remove(tx, record);
        tx.audit({
          action: 'partition.delete',
          objectKind: 'partition',
          objectUid: record.uid,
          objectName: `partitions/${record.id}`,
          partition: record.id,
          before: JSON.parse(record.doc),
        });
        return create(DeletePartitionResponseSchema);
      });
    },
  });
};

const sees = (access: ReturnType<typeof accessOf>, partition: string): boolean => {
  const only = visiblePartitions(access);
  return (
    access.projects.size > 0 ||
    only === undefined ||
    only.some((id) => id.toLowerCase() === partition.toLowerCase())
  );
};
