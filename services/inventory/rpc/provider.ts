import { create, type MessageShape } from '@bufbuild/protobuf';
import {
  type Provider,
  ProviderSchema,
  type ProviderSpec,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  CreateProviderResponseSchema,
  DeleteProviderResponseSchema,
  ProviderService,
  UpdateProviderResponseSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessFor } from '../../runtime/access.ts';
import {
  accessOf,
  callOf,
  type HasValues,
  identityOf,
  requestKeyOf,
} from '../../runtime/context.ts';
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, closePage, etagOf } from '../../store/sql/page.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { takesAway, violationsOf } from '../domain/amounts.ts';
import { demandTree, TREE_DEPTH_MAX } from '../domain/provider-tree.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';
import { RESOURCE_TYPE_CODES } from '../domain/resource-types.ts';
import {
  absent,
  actorOf,
  badField,
  lastOf,
  pageOf,
  partitionOf,
  type RpcDeps,
  visiblePartitions,
} from './deps.ts';
import {
  amountsOf,
  normalised,
  providerDoc,
  providerMessage,
  storedSpec,
} from './provider-message.ts';
import { watchProviders } from './provider-watch.ts';

const MASK = resourceMask(ProviderSchema);

export const providerRpc = (deps: RpcDeps): Implementation => {
  const { store, records } = deps;
  return implement(ProviderService, {
    getProvider: async ({ name }, context) => {
      const record = await findOne(deps, name, context);
      return { provider: shown(deps, record, context) };
    },
    listProviders: async (request, context) => {
      const filter = {
        partition: partitionOf(request.parent),
        only: visiblePartitions(accessOf(context)),
      };
      const page = pageOf(deps, request, request.parent);
      const found = await store.read((reader) => records.providers.list(reader, filter, page));
      const { rows, nextPageToken } = closePage(page, found, (row) => [
        row.partition.toLowerCase(),
        row.id.toLowerCase(),
      ]);
      return { providers: rows.map((row) => shown(deps, row, context)), nextPageToken };
    },
    createProvider: (request, context) => createProvider(deps, request, context),
    updateProvider: (request, context) => updateProvider(deps, request, context),
    deleteProvider: (request, context) => deleteProvider(deps, request, context),
    watchProviders: (request, context) =>
      watchProviders(deps, { request, context, show: (record) => shown(deps, record, context) }),
  });
};

const shown = ({ store }: RpcDeps, record: ProviderRecord, context: HasValues): Provider => {
  const mayUpdate = accessFor(identityOf(context), 'provider.update');
  const seesAll = identityOf(context).kind === 'service' || mayUpdate.covers(record);
  return providerMessage(record, { incarnation: store.incarnation(), seesAll });
};

const findOne = async (
  { store, records }: RpcDeps,
  name: string,
  context: HasValues,
): Promise<ProviderRecord> => {
  const record = await store.read((reader) =>
    records.providers.find(reader, partitionOf(name), lastOf(name)),
  );
  if (!record || !accessOf(context).covers({ partition: record.partition })) throw absent(name);
  return record;
};

type Handler<Request, Response> = (
  deps: RpcDeps,
  request: Request,
  context: HasValues,
) => Promise<Response>;
type Service = typeof ProviderService.method;
type In<M extends keyof Service> = MessageShape<Service[M]['input']>;
type Out<M extends keyof Service> = MessageShape<Service[M]['output']>;

const createProvider: Handler<In<'createProvider'>, Out<'createProvider'>> = async (
  deps,
  request,
  context,
) => {
  const { store, records, clock, random } = deps;
  const partition = await store.read((reader) =>
    records.partitions.find(reader, partitionOf(request.parent)),
  );
  if (!partition) throw absent(request.parent);
  const given = request.provider ?? create(ProviderSchema);
  const spec = normalised(given.spec ?? create(ProviderSpecSchema));
  const nowMs = clock.now().getTime();
  const uid = random.uid();
  const head = { uid, id: request.providerId, version: 1, createMs: nowMs, updateMs: nowMs };
  const place = { ...head, partition: partition.id, generation: 1 };
  const record = await store.read((reader) =>
    judged(deps, reader, { ...place, given: { ...given, spec } }),
  );
  const response = () =>
    create(CreateProviderResponseSchema, { provider: shown(deps, record, context) });
  if (request.validateOnly) return response();
  const key = requestKeyOf(context, CreateProviderResponseSchema);
  return store.transaction(key, actorOf(context), async (tx) => {
    await records.providers.insert(tx, record);
    tx.audit({ action: 'provider.create', ...auditObject(record), after: JSON.parse(record.doc) });
    return response();
  });
};

const updateProvider: Handler<In<'updateProvider'>, Out<'updateProvider'>> = async (
  deps,
  request,
  context,
) => {
  const { store, records, clock, capacity, random } = deps;
  const given = request.provider ?? create(ProviderSchema);
  MASK.check(request.updateMask);
  const current = await findOne(deps, given.name, context);
  checkEtag(given.etag, etagOf(current, store.incarnation()));
  const before = providerMessage(current, { incarnation: store.incarnation(), seesAll: true });
  const after = MASK.apply(request.updateMask, given, before);
  const spec = normalised(after.spec ?? create(ProviderSpecSchema));
  if (spec.type !== before.spec?.type) throw badField('spec.type', 'cannot be changed');
  const changesSpec = (request.updateMask?.paths ?? []).some((path) => path.startsWith('spec.'));
  const record = await store.read((reader) =>
    judged(deps, reader, {
      ...current,
      version: current.version + 1,
      generation: current.generation + (changesSpec ? 1 : 0),
      updateMs: clock.now().getTime(),
      given: { ...after, spec },
    }),
  );
  const response = () =>
    create(UpdateProviderResponseSchema, { provider: shown(deps, record, context) });
  if (request.validateOnly) return response();
  const amounts = amountsOf(spec);
  if (takesAway(amountsOf(storedSpec(current)), amounts)) {
    const { partition, uid, generation } = record;
    const requestId = callOf(context).requestMark?.requestId ?? random.requestId();
    const change = { partition, uid, generation, amounts, requestId };
    await capacity.shrink(change, callOf(context).signal);
  }
  const key = requestKeyOf(context, UpdateProviderResponseSchema);
  return store.transaction(key, actorOf(context), async (tx) => {
    await records.providers.save(tx, record);
    tx.audit({
      action: 'provider.update',
      ...auditObject(record),
      before: JSON.parse(current.doc),
      after: JSON.parse(record.doc),
    });
    return response();
  });
};

const deleteProvider: Handler<In<'deleteProvider'>, Out<'deleteProvider'>> = async (
  deps,
  request,
  context,
) => {
  const { store, records, capacity, random } = deps;
  const current = await findOne(deps, request.name, context).catch((error: unknown) => {
    if (request.allowMissing) return undefined;
    throw error;
  });
  if (!current) return create(DeleteProviderResponseSchema);
  checkEtag(request.etag, etagOf(current, store.incarnation()));
  const children = await store.read((reader) =>
    records.providers.countChildren(reader, current.uid),
  );
  if (children > 0) {
    throw failedPrecondition(
      'IN_USE',
      `Cannot delete ${providerName(current)}: ${children} providers are parts of it`,
      { metadata: { name: providerName(current), children: String(children) } },
    );
  }
  const { partition, uid } = current;
  const requestId = callOf(context).requestMark?.requestId ?? random.requestId();
  const change = { partition, uid, generation: current.generation + 1, requestId };
  await capacity.retire(change, callOf(context).signal);
  const key = requestKeyOf(context, DeleteProviderResponseSchema);
  return store.transaction(key, actorOf(context), async (tx) => {
    await records.providers.remove(tx, current);
    tx.audit({
      action: 'provider.delete',
      ...auditObject(current),
      before: JSON.parse(current.doc),
    });
    return create(DeleteProviderResponseSchema);
  });
};

const auditObject = (record: ProviderRecord) => ({
  objectKind: 'provider',
  objectUid: record.uid,
  objectName: providerName(record),
  partition: record.partition,
});

type Candidate = Omit<ProviderRecord, 'doc' | 'capabilities' | 'nics' | 'parentUid'> & {
  readonly given: Provider & { readonly spec: ProviderSpec };
};

/** The record of what is wanted, if all rules hold that need the store. */
const judged = async (
  deps: RpcDeps,
  reader: Reader,
  { given, ...head }: Candidate,
): Promise<ProviderRecord> => {
  const { spec } = given;
  const violations = violationsOf(amountsOf(spec), RESOURCE_TYPE_CODES);
  const unknown = await deps.records.providers.unknownCapabilities(reader, spec.capabilities);
  for (const code of unknown) {
    const description = `"${code}" is not defined; see CreateCapability`;
    violations.push({ field: 'spec.capabilities', description });
  }
  if (violations.length > 0) {
    const what = violations.map((one) => `${one.field}: ${one.description}`).join('; ');
    throw invalidArgument('INVALID_FIELD', what, { violations });
  }
  return {
    ...head,
    parentUid: await parentOf(deps, reader, head, spec.parentProvider),
    capabilities: spec.capabilities,
    nics: spec.nics.map(({ label, mac }) => ({ label, mac })),
    doc: providerDoc(given),
  };
};

const parentOf = async (
  { records }: RpcDeps,
  reader: Reader,
  head: { readonly uid: string; readonly partition: string },
  parentName: string,
): Promise<string> => {
  if (parentName === '') return '';
  const isHere = partitionOf(parentName).toLowerCase() === head.partition.toLowerCase();
  const parent = isHere
    ? await records.providers.find(reader, head.partition, lastOf(parentName))
    : undefined;
  if (!parent) {
    throw badField('spec.parent_provider', `"${parentName}" is no provider of this partition`);
  }
  const ancestors = [parent.uid];
  let above = parent.parentUid;
  while (above !== '' && ancestors.length < TREE_DEPTH_MAX) {
    const [next] = await records.providers.byUids(reader, [above]);
    ancestors.push(above);
    above = next?.parentUid ?? '';
  }
  demandTree(head.uid, ancestors);
  return parent.uid;
};
