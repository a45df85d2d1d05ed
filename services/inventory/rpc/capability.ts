import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Capability,
  CapabilitySchema,
} from '../../../gen/runmachine/inventory/v1/capability_pb.ts';
import {
  CapabilityService,
  CreateCapabilityResponseSchema,
  DeleteCapabilityResponseSchema,
} from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import { type CapabilityRecord, capabilityName, newHead } from '../domain/records.ts';
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

const CODE = /^[a-z0-9]+([._-][a-z0-9]+)*$/;

const toProto = ({ store }: RpcDeps, record: CapabilityRecord): Capability =>
  create(CapabilitySchema, {
    ...fromJsonString(CapabilitySchema, record.doc, { ignoreUnknownFields: true }),
    name: capabilityName(record),
    uid: record.uid,
    etag: etagOf(record, store.incarnation()),
    generation: 1n,
    createTime: timestampFromMs(record.createMs),
    updateTime: timestampFromMs(record.updateMs),
  });

export const capabilityDoc = (description: string): string =>
  toJsonString(CapabilitySchema, create(CapabilitySchema, { spec: { description } }));

const auditOf = (record: CapabilityRecord) => ({
  objectKind: 'capability',
  objectUid: record.uid,
  objectName: capabilityName(record),
});

export const capabilityRpc = (deps: RpcDeps): Implementation => {
  const { store, records, clock, random } = deps;
  return implement(CapabilityService, {
    getCapability: async ({ name }, context) => {
      const record = await store.read((reader) => records.capabilities.find(reader, lastOf(name)));
      // Codes say nothing about anybody: whoever may read capabilities somewhere may read all.
      if (!record || accessOf(context).nowhere) throw absent(name);
      return { capability: toProto(deps, record) };
    },
    listCapabilities: async (request, context) => {
      const page = pageOf(deps, request, 'capabilities');
      if (accessOf(context).nowhere) return { capabilities: [], nextPageToken: '' };
      const rows = await store.read((reader) => records.capabilities.list(reader, {}, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: CapabilitySchema,
        toMessage: (row) => toProto(deps, row),
        keyOf: nameKey,
      });
      return { capabilities: messages, nextPageToken };
    },
    createCapability: ({ capabilityId: id, capability, validateOnly }, context) =>
      mutate(
        deps,
        context,
        { response: CreateCapabilityResponseSchema, validateOnly },
        async (tx) => {
          demandCode(id);
          const record: CapabilityRecord = {
            ...newHead({ uid: random.uid(), id, nowMs: clock.now().getTime() }),
            doc: capabilityDoc(capability?.spec?.description ?? ''),
          };
          await records.capabilities.insert(tx, record);
          const after: unknown = JSON.parse(record.doc);
          tx.audit({ action: 'capability.create', ...auditOf(record), after });
          return create(CreateCapabilityResponseSchema, { capability: toProto(deps, record) });
        },
      ),
    deleteCapability: ({ name, etag, allowMissing }, context) =>
      mutate(deps, context, { response: DeleteCapabilityResponseSchema }, async (tx) => {
        const record = await records.capabilities.lock(tx, lastOf(name));
        if (!record) {
          if (allowMissing) return create(DeleteCapabilityResponseSchema);
          throw absent(name);
        }
        checkEtag(etag, etagOf(record, store.incarnation()));
        demandUnused(record, await records.providers.countWithCapability(tx, record.id));
        await records.capabilities.remove(tx, record);
        const before: unknown = JSON.parse(record.doc);
        tx.audit({ action: 'capability.delete', ...auditOf(record), before });
        return create(DeleteCapabilityResponseSchema);
      }),
  });
};

const demandCode = (id: string): void => {
  demandId('capability_id', id);
  if (CODE.test(id)) return;
  const description = `"${id}" is not a code such as cpu.x86.avx2 (lower case, dots)`;
  throw badField('capability_id', description);
};

const demandUnused = (record: CapabilityRecord, providers: number): void => {
  if (providers === 0) return;
  const name = capabilityName(record);
  throw failedPrecondition('IN_USE', `Cannot delete ${name}: ${providers} providers have it`, {
    metadata: { name, providers: String(providers) },
  });
};
