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
import { accessOf, requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, closePage, etagOf } from '../../store/sql/page.ts';
import type { CapabilityRecord } from '../domain/records.ts';
import { absent, actorOf, badField, lastOf, pageOf, type RpcDeps } from './deps.ts';

const CODE = /^[a-z0-9]+([._-][a-z0-9]+)*$/;

const toProto = ({ store }: RpcDeps, record: CapabilityRecord): Capability =>
  create(CapabilitySchema, {
    ...fromJsonString(CapabilitySchema, record.doc),
    name: `capabilities/${record.id}`,
    uid: record.uid,
    etag: etagOf(record, store.incarnation()),
    generation: 1n,
    createTime: timestampFromMs(record.createMs),
    updateTime: timestampFromMs(record.updateMs),
  });

export const capabilityDoc = (description: string): string =>
  toJsonString(CapabilitySchema, create(CapabilitySchema, { spec: { description } }));

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
      const found = await store.read((reader) => records.capabilities.list(reader, {}, page));
      const { rows, nextPageToken } = closePage(page, found, (row) => [row.id.toLowerCase()]);
      return { capabilities: rows.map((row) => toProto(deps, row)), nextPageToken };
    },
    createCapability: (request, context) => {
      if (!CODE.test(request.capabilityId)) {
        throw badField(
          'capability_id',
          `"${request.capabilityId}" is not a code such as cpu.x86.avx2 (lower case, dots)`,
        );
      }
      const nowMs = clock.now().getTime();
      const record: CapabilityRecord = {
        uid: random.uid(),
        id: request.capabilityId,
        version: 1,
        createMs: nowMs,
        updateMs: nowMs,
        doc: capabilityDoc(request.capability?.spec?.description ?? ''),
      };
      const response = () =>
        create(CreateCapabilityResponseSchema, { capability: toProto(deps, record) });
      if (request.validateOnly) return response();
      const key = requestKeyOf(context, CreateCapabilityResponseSchema);
      return store.transaction(key, actorOf(context), async (tx) => {
        await records.capabilities.insert(tx, record);
        tx.audit({
          action: 'capability.create',
          objectKind: 'capability',
          objectUid: record.uid,
          objectName: `capabilities/${record.id}`,
        });
        return response();
      });
    },
    deleteCapability: (request, context) => {
      const key = requestKeyOf(context, DeleteCapabilityResponseSchema);
      return store.transaction(key, actorOf(context), async (tx) => {
        const record = await records.capabilities.find(tx, lastOf(request.name));
        if (!record) {
          if (request.allowMissing) return create(DeleteCapabilityResponseSchema);
          throw absent(request.name);
        }
        checkEtag(request.etag, etagOf(record, store.incarnation()));
        const users = await records.providers.countWithCapability(tx, record.id);
        if (users > 0) {
          throw failedPrecondition(
            'IN_USE',
            `Cannot delete capability "${record.id}": ${users} providers have it`,
            { metadata: { name: request.name, providers: String(users) } },
          );
        }
        await records.capabilities.remove(tx, record);
        tx.audit({
          action: 'capability.delete',
          objectKind: 'capability',
          objectUid: record.uid,
          objectName: `capabilities/${record.id}`,
        });
        return create(DeleteCapabilityResponseSchema);
      });
    },
  });
};
