import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import {
  type Capability,
  CapabilitySchema,
  CapabilitySpecSchema,
} from '../../../gen/runmachine/inventory/v1/capability_pb.ts';
import {
  CapabilityService,
  CreateCapabilityResponseSchema,
  DeleteCapabilityResponseSchema,
  UpdateCapabilityResponseSchema,
} from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { capabilityName, keyOf, type NamedRecord } from '../domain/records.ts';
import { blockedBy } from './blocked.ts';
import { absent, demandCode, lastOf, mutate, nameKey, pageOf, type RpcDeps } from './deps.ts';
import { createNamed, deleteNamed, headFields, type Noun, sameSpec, updateNamed } from './named.ts';

const MASK = resourceMask(CapabilitySchema);

const read = (record: NamedRecord): Capability =>
  fromJsonString(CapabilitySchema, record.doc, { ignoreUnknownFields: true });

const docOf = ({ spec }: Capability): string =>
  toJsonString(CapabilitySchema, create(CapabilitySchema, { spec: spec ?? {} }));

export const capabilityDoc = (description: string): string =>
  docOf(create(CapabilitySchema, { spec: { description } }));

const show = (deps: RpcDeps, record: NamedRecord): Capability =>
  create(CapabilitySchema, {
    ...read(record),
    ...headFields(deps, record),
    name: capabilityName(record),
  });

const nounOf = ({ records }: RpcDeps): Noun<Capability> => ({
  kind: 'capability',
  collection: 'capabilities',
  nameOf: capabilityName,
  records: records.capabilities,
  read,
  doc: docOf,
  isSameSpec: (before, after) => sameSpec(CapabilitySpecSchema, before.spec, after.spec),
});

export const capabilityRpc = (deps: RpcDeps): Implementation =>
  implement(CapabilityService, {
    ...reads(deps),
    createCapability: ({ capabilityId: id, capability, validateOnly }, context) => {
      const response = CreateCapabilityResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        demandCode('capability_id', id);
        const given = capability ?? create(CapabilitySchema);
        const record = await createNamed(deps, tx, { noun: nounOf(deps), id, given });
        return create(response, { capability: show(deps, record) });
      });
    },
    updateCapability: ({ capability, updateMask, validateOnly }, context) => {
      MASK.check(updateMask);
      const response = UpdateCapabilityResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        const given = capability ?? create(CapabilitySchema);
        const record = await updateNamed(deps, tx, {
          noun: nounOf(deps),
          name: given.name,
          etag: given.etag,
          change: (before) => MASK.apply(updateMask, given, before),
        });
        return create(response, { capability: show(deps, record) });
      });
    },
    deleteCapability: (request, context) =>
      mutate(deps, context, { response: DeleteCapabilityResponseSchema }, async (tx) => {
        const demandUnused = (record: NamedRecord) => demandNotHad(deps, tx, record);
        await deleteNamed(deps, tx, { noun: nounOf(deps), request, demandUnused });
        return create(DeleteCapabilityResponseSchema);
      }),
  });

const reads = (deps: RpcDeps) =>
  ({
    getCapability: async ({ name }, context) => {
      const { store, records } = deps;
      const record = await store.read((reader) => records.capabilities.find(reader, lastOf(name)));
      // Codes say nothing about anybody: whoever may read capabilities somewhere may read all.
      if (!record || accessOf(context).nowhere) throw absent(name);
      return { capability: show(deps, record) };
    },
    listCapabilities: async (request, context) => {
      const page = pageOf(deps, request, 'capabilities');
      if (accessOf(context).nowhere) return { capabilities: [], nextPageToken: '' };
      const { store, records } = deps;
      const rows = await store.read((reader) => records.capabilities.list(reader, {}, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: CapabilitySchema,
        toMessage: (row) => show(deps, row),
        keyOf: nameKey,
      });
      return { capabilities: messages, nextPageToken };
    },
  }) satisfies Partial<Parameters<typeof implement<typeof CapabilityService>>[1]>;

const demandNotHad = async (
  { records: { providers } }: RpcDeps,
  tx: Tx,
  record: NamedRecord,
): Promise<void> => {
  const code = keyOf(record.id);
  const blocked = blockedBy(capabilityName(record), [
    {
      what: 'providers have it',
      key: 'providers',
      count: await providers.countWithTerm(tx, 'capability', code),
      names: await providers.withTerm(tx, 'capability', code),
    },
  ]);
  if (blocked) throw blocked;
};
