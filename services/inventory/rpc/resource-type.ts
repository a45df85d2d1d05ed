import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import {
  type ResourceType,
  ResourceTypeSchema,
  ResourceTypeSpecSchema,
} from '../../../gen/runmachine/inventory/v1/resource_type_pb.ts';
import {
  CreateResourceTypeResponseSchema,
  DeleteResourceTypeResponseSchema,
  ResourceTypeService,
  UpdateResourceTypeResponseSchema,
} from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { keyOf, type NamedRecord, resourceTypeName } from '../domain/records.ts';
import { isBuiltIn } from '../domain/resource-types.ts';
import { blockedBy } from './blocked.ts';
import {
  absent,
  badField,
  demandCode,
  lastOf,
  mutate,
  nameKey,
  pageOf,
  type RpcDeps,
} from './deps.ts';
import { createNamed, deleteNamed, headFields, type Noun, sameSpec, updateNamed } from './named.ts';

const MASK = resourceMask(ResourceTypeSchema);

const read = (record: NamedRecord): ResourceType =>
  fromJsonString(ResourceTypeSchema, record.doc, { ignoreUnknownFields: true });

const docOf = ({ spec }: ResourceType): string =>
  toJsonString(ResourceTypeSchema, create(ResourceTypeSchema, { spec: spec ?? {} }));

export const resourceTypeDoc = (spec: { unit: string; description: string }): string =>
  docOf(create(ResourceTypeSchema, { spec }));

const show = (deps: RpcDeps, record: NamedRecord): ResourceType =>
  create(ResourceTypeSchema, {
    ...read(record),
    ...headFields(deps, record),
    name: resourceTypeName(record),
  });

const nounOf = ({ records }: RpcDeps): Noun<ResourceType> => ({
  kind: 'resource_type',
  collection: 'resourceTypes',
  nameOf: resourceTypeName,
  records: records.resourceTypes,
  read,
  doc: docOf,
  isSameSpec: (before, after) => sameSpec(ResourceTypeSpecSchema, before.spec, after.spec),
});

export const resourceTypeRpc = (deps: RpcDeps): Implementation =>
  implement(ResourceTypeService, {
    ...reads(deps),
    createResourceType: ({ resourceTypeId: id, resourceType, validateOnly }, context) => {
      const response = CreateResourceTypeResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        demandCode('resource_type_id', id);
        if (isBuiltIn(id)) throw badField('resource_type_id', 'codes of "runm." are built in');
        const given = resourceType ?? create(ResourceTypeSchema);
        // A masked update need not say it, so the contract does not demand it.
        if (!given.spec?.unit) throw badField('resource_type.spec.unit', 'must be given');
        const record = await createNamed(deps, tx, { noun: nounOf(deps), id, given });
        return create(response, { resourceType: show(deps, record) });
      });
    },
    updateResourceType: ({ resourceType, updateMask, validateOnly }, context) => {
      MASK.check(updateMask);
      const response = UpdateResourceTypeResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        const given = resourceType ?? create(ResourceTypeSchema);
        const change = (before: ResourceType, record: NamedRecord) => {
          demandOwn(record);
          const after = MASK.apply(updateMask, given, before);
          if (after.spec?.unit !== before.spec?.unit) {
            throw badField('spec.unit', 'cannot be changed: amounts would mean something else');
          }
          return after;
        };
        const { name, etag } = given;
        const record = await updateNamed(deps, tx, { noun: nounOf(deps), name, etag, change });
        return create(response, { resourceType: show(deps, record) });
      });
    },
    deleteResourceType: (request, context) =>
      mutate(deps, context, { response: DeleteResourceTypeResponseSchema }, async (tx) => {
        const demandUnused = (record: NamedRecord) => demandNotOffered(deps, tx, record);
        await deleteNamed(deps, tx, { noun: nounOf(deps), request, demandUnused });
        return create(DeleteResourceTypeResponseSchema);
      }),
  });

const reads = (deps: RpcDeps) =>
  ({
    getResourceType: async ({ name }, context) => {
      const { store, records } = deps;
      const record = await store.read((reader) => records.resourceTypes.find(reader, lastOf(name)));
      if (!record || accessOf(context).nowhere) throw absent(name);
      return { resourceType: show(deps, record) };
    },
    listResourceTypes: async (request, context) => {
      const page = pageOf(deps, request, 'resourceTypes');
      if (accessOf(context).nowhere) return { resourceTypes: [], nextPageToken: '' };
      const { store, records } = deps;
      const rows = await store.read((reader) => records.resourceTypes.list(reader, {}, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: ResourceTypeSchema,
        toMessage: (row) => show(deps, row),
        keyOf: nameKey,
      });
      return { resourceTypes: messages, nextPageToken };
    },
  }) satisfies Partial<Parameters<typeof implement<typeof ResourceTypeService>>[1]>;

const demandOwn = (record: NamedRecord): void => {
  if (!isBuiltIn(record.id)) return;
  const name = resourceTypeName(record);
  throw failedPrecondition('NOT_ALLOWED', `Cannot change ${name}: it is built in`, {
    metadata: { name },
  });
};

/**
 * A claim needs a provider that offers what it holds, and what is held cannot be taken from an
 * offer: without providers there are no claims.
 */
const demandNotOffered = async (
  { records: { providers } }: RpcDeps,
  tx: Tx,
  record: NamedRecord,
): Promise<void> => {
  demandOwn(record);
  const code = keyOf(record.id);
  const blocked = blockedBy(resourceTypeName(record), [
    {
      what: 'providers offer it',
      key: 'providers',
      count: await providers.countWithTerm(tx, 'resource_type', code),
      names: await providers.withTerm(tx, 'resource_type', code),
    },
  ]);
  if (blocked) throw blocked;
};
