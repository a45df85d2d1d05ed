import { create, enumToJson, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import {
  type Partition,
  PartitionSchema,
  PartitionSpecSchema,
} from '../../../gen/runmachine/inventory/v1/partition_pb.ts';
import {
  CreatePartitionResponseSchema,
  DeletePartitionResponseSchema,
  PartitionService,
  UpdatePartitionResponseSchema,
} from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import {
  type ProviderType,
  ProviderTypeSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { Access } from '../../runtime/access.ts';
import { accessOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { keyOf, type NamedRecord, type PartitionRecord, partitionName } from '../domain/records.ts';
import type { PartitionFilter } from '../ports.ts';
import {
  absent,
  badField,
  demandId,
  lastOf,
  mutate,
  nameKey,
  pageOf,
  type RpcDeps,
} from './deps.ts';
import { createNamed, deleteNamed, headFields, type Noun, sameSpec, updateNamed } from './named.ts';

const MASK = resourceMask(PartitionSchema);

const read = (record: NamedRecord): Partition =>
  fromJsonString(PartitionSchema, record.doc, { ignoreUnknownFields: true });

const docOf = ({ spec, properties, tags }: Partition): string =>
  toJsonString(
    PartitionSchema,
    create(PartitionSchema, { ...(spec ? { spec } : {}), properties, tags }),
  );

const show = (deps: RpcDeps, record: NamedRecord): Partition =>
  create(PartitionSchema, {
    ...read(record),
    ...headFields(deps, record),
    name: partitionName(record),
  });

const nounOf = ({ records }: RpcDeps): Noun<Partition> => ({
  kind: 'partition',
  collection: 'partitions',
  nameOf: partitionName,
  records: records.partitions,
  read,
  doc: docOf,
  isSameSpec: (before, after) => sameSpec(PartitionSpecSchema, before.spec, after.spec),
});

export const partitionRpc = (deps: RpcDeps): Implementation =>
  implement(PartitionService, {
    ...reads(deps),
    createPartition: async ({ partitionId: id, partition, validateOnly }, context) => {
      const response = CreatePartitionResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        demandId('partition_id', id);
        const given = partition ?? create(PartitionSchema);
        demandSettings(given);
        const record = await createNamed(deps, tx, { noun: nounOf(deps), id, given });
        return create(response, { partition: show(deps, record) });
      });
    },
    updatePartition: async ({ partition, updateMask, validateOnly }, context) => {
      MASK.check(updateMask);
      const response = UpdatePartitionResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        const given = partition ?? create(PartitionSchema);
        const change = (before: Partition) => {
          const after = MASK.apply(updateMask, given, before);
          demandSettings(after);
          return after;
        };
        const { name, etag } = given;
        const record = await updateNamed(deps, tx, { noun: nounOf(deps), name, etag, change });
        return create(response, { partition: show(deps, record) });
      });
    },
    deletePartition: (request, context) =>
      mutate(deps, context, { response: DeletePartitionResponseSchema }, async (tx) => {
        const demandUnused = async (record: NamedRecord) => {
          await demandEmpty(deps, tx, record);
          // What scans found there is nothing that anybody made.
          await deps.records.discoveries.removeInPartition(tx, record.id);
        };
        await deleteNamed(deps, tx, { noun: nounOf(deps), request, demandUnused });
        return create(DeletePartitionResponseSchema);
      }),
  });

const reads = (deps: RpcDeps) =>
  ({
    getPartition: async ({ name }, context) => {
      const { store, records } = deps;
      const record = await store.read((reader) => records.partitions.find(reader, lastOf(name)));
      if (!record || !sees(accessOf(context), record)) throw absent(name);
      return { partition: show(deps, record) };
    },
    listPartitions: async (request, context) => {
      const { store, records } = deps;
      const filter = visible(accessOf(context));
      const page = pageOf(deps, request, 'partitions');
      const rows = await store.read((reader) => records.partitions.list(reader, filter, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: PartitionSchema,
        toMessage: (row) => show(deps, row),
        keyOf: nameKey,
      });
      return { partitions: messages, nextPageToken };
    },
  }) satisfies Partial<Parameters<typeof implement<typeof PartitionService>>[1]>;

const demandSettings = ({ spec }: Partition): void => {
  const seen = new Set<ProviderType>();
  for (const [index, { type }] of (spec?.providerTypes ?? []).entries()) {
    if (!seen.has(type)) {
      seen.add(type);
      continue;
    }
    const field = `spec.provider_types[${index}].type`;
    throw badField(field, `"${enumToJson(ProviderTypeSchema, type)}" stands here twice`);
  }
};

/** What other services keep there (claims, machines, agents) needs a provider. */
const demandEmpty = async (
  { records: { providers, groups } }: RpcDeps,
  tx: Tx,
  record: NamedRecord,
): Promise<void> => {
  const name = partitionName(record);
  const counts = {
    providers: await providers.countInPartition(tx, record.id),
    groups: await groups.countInPartition(tx, record.id),
  };
  if (counts.providers + counts.groups === 0) return;
  throw failedPrecondition(
    'IN_USE',
    `Cannot delete ${name}: it still has ${counts.providers} providers and ${counts.groups} groups`,
    {
      metadata: { name, providers: String(counts.providers), groups: String(counts.groups) },
    },
  );
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
