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
import type { Access } from '../../runtime/access.ts';
import { accessOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import { keyOf, newHead, type PartitionRecord, partitionName } from '../domain/records.ts';
import type { PartitionFilter } from '../ports.ts';
import { absent, demandId, lastOf, mutate, nameKey, pageOf, type RpcDeps } from './deps.ts';

const toProto = ({ store }: RpcDeps, record: PartitionRecord): Partition =>
  create(PartitionSchema, {
    ...fromJsonString(PartitionSchema, record.doc, { ignoreUnknownFields: true }),
    name: partitionName(record),
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

const auditOf = (record: PartitionRecord) => ({
  objectKind: 'partition',
  objectUid: record.uid,
  objectName: partitionName(record),
  partition: record.id,
});

export const partitionRpc = (deps: RpcDeps): Implementation => {
  const { store, records, clock, random } = deps;
  return implement(PartitionService, {
    getPartition: async ({ name }, context) => {
      const record = await store.read((reader) => records.partitions.find(reader, lastOf(name)));
      if (!record || !sees(accessOf(context), record)) throw absent(name);
      return { partition: toProto(deps, record) };
    },
    listPartitions: async (request, context) => {
      const filter = visible(accessOf(context));
      const page = pageOf(deps, request, 'partitions');
      const rows = await store.read((reader) => records.partitions.list(reader, filter, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: PartitionSchema,
        toMessage: (row) => toProto(deps, row),
        keyOf: nameKey,
      });
      return { partitions: messages, nextPageToken };
    },
    createPartition: ({ partitionId: id, partition, validateOnly }, context) =>
      mutate(
        deps,
        context,
        { response: CreatePartitionResponseSchema, validateOnly },
        async (tx) => {
          demandId('partition_id', id);
          const record: PartitionRecord = {
            ...newHead({ uid: random.uid(), id, nowMs: clock.now().getTime() }),
            doc: docOf(partition ?? create(PartitionSchema)),
          };
          await records.partitions.insert(tx, record);
          const after: unknown = JSON.parse(record.doc);
          tx.audit({ action: 'partition.create', ...auditOf(record), after });
          return create(CreatePartitionResponseSchema, { partition: toProto(deps, record) });
        },
      ),
    deletePartition: ({ name, etag, allowMissing }, context) =>
      mutate(deps, context, { response: DeletePartitionResponseSchema }, async (tx) => {
        const record = await records.partitions.lock(tx, lastOf(name));
        if (!record) {
          if (allowMissing) return create(DeletePartitionResponseSchema);
          throw absent(name);
        }
        checkEtag(etag, etagOf(record, store.incarnation()));
        demandEmpty(record, await records.providers.countInPartition(tx, record.id));
        await records.partitions.remove(tx, record);
        const before: unknown = JSON.parse(record.doc);
        tx.audit({ action: 'partition.delete', ...auditOf(record), before });
        return create(DeletePartitionResponseSchema);
      }),
  });
};

/** Providers only: what other services keep there (claims, machines, agents) needs one. */
const demandEmpty = (record: PartitionRecord, providers: number): void => {
  if (providers === 0) return;
  const name = partitionName(record);
  throw failedPrecondition('IN_USE', `Cannot delete ${name}: it still has ${providers} providers`, {
    metadata: { name, providers: String(providers) },
  });
};

/**
 * Whoever works in a project works in it in every partition, so he may know which there are; one
 * whose grants are about single partitions sees these.
 */
const visible = ({ everything, projects, partitions, pairs }: Access): PartitionFilter => ({
  only:
    everything || projects.size > 0
      ? undefined
      : [...partitions, ...pairs.map(({ partition }) => partition)],
});

const sees = (access: Access, { id }: PartitionRecord): boolean => {
  const { only } = visible(access);
  return only === undefined || only.some((one) => keyOf(one) === keyOf(id));
};
