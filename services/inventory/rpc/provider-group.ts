import { create, equals, type MessageShape } from '@bufbuild/protobuf';
import {
  type ProviderGroup,
  ProviderGroupSchema,
  ProviderGroupSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import {
  CreateProviderGroupResponseSchema,
  DeleteProviderGroupResponseSchema,
  ProviderGroupService,
  UpdateProviderGroupResponseSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { accessOf, type HasValues } from '../../runtime/context.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type GroupRecord, groupName, keyOf, newHead } from '../domain/records.ts';
import { blockedBy } from './blocked.ts';
import {
  absent,
  badField,
  demandId,
  demandPartition,
  mutate,
  pageOf,
  partitionOf,
  placedKey,
  placedPartitions,
  type RpcDeps,
} from './deps.ts';
import { auditOfGroup, lockGroup, parseGroupName } from './group-locks.ts';
import { changeMembers } from './group-members.ts';
import { counted, groupDoc, groupSpecOf, showGroup, storedGroup } from './group-message.ts';
import { judgeGroup } from './group-rules.ts';
import { watchGroups } from './group-watch.ts';
import { kindsOf, propertyViolations } from './property-rules.ts';

type Service = typeof ProviderGroupService.method;
type In<M extends keyof Service> = MessageShape<Service[M]['input']>;

const MASK = resourceMask(ProviderGroupSchema);
const KIND = 'runm.provider_group';

export const providerGroupRpc = (deps: RpcDeps): Implementation =>
  implement(ProviderGroupService, {
    ...reads(deps),
    createProviderGroup: async (request, context) => {
      const { validateOnly } = request;
      const kinds = await kindsOf(deps, KIND, request.group);
      const response = CreateProviderGroupResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        const record = await insertGroup(deps, tx, { request, context, kinds });
        return create(response, { group: await showOne(deps, tx, record) });
      });
    },
    updateProviderGroup: async (request, context) => {
      const { validateOnly } = request;
      MASK.check(request.updateMask);
      const kinds = await kindsOf(deps, KIND, request.group);
      const response = UpdateProviderGroupResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        const record = await writeGroup(deps, tx, { request, context, kinds });
        return create(response, { group: await showOne(deps, tx, record) });
      });
    },
    deleteProviderGroup: (request, context) =>
      mutate(deps, context, { response: DeleteProviderGroupResponseSchema }, async (tx) => {
        await removeGroup(deps, tx, { request, context });
        return create(DeleteProviderGroupResponseSchema);
      }),
    watchProviderGroups: (request, context) => watchGroups(deps, { request, context }),
    changeMembers: (request, context) => changeMembers(deps, { request, context }),
  });

const showOne = async (deps: RpcDeps, tx: Tx, record: GroupRecord): Promise<ProviderGroup> => {
  const [group = { ...record, members: 0 }] = await counted(deps, tx, [record]);
  return showGroup(deps, group);
};

const reads = (deps: RpcDeps) =>
  ({
    getProviderGroup: async ({ name }, context) => {
      const { store, records } = deps;
      const { partition, group } = parseGroupName(name, 'name');
      const found = await store.read(async (reader) => {
        const record = await records.groups.find(reader, partition, group);
        return record && (await counted(deps, reader, [record]))[0];
      });
      if (!found || !accessOf(context).covers({ partition: found.partition })) throw absent(name);
      return { group: showGroup(deps, found) };
    },
    listProviderGroups: async (request, context) => {
      const { store, records } = deps;
      const partition = await demandPartition(deps, request.parent);
      const only = partition ? [partition.id] : placedPartitions(accessOf(context));
      const page = pageOf(deps, request, request.parent);
      const rows = await store.read(async (reader) =>
        counted(deps, reader, await records.groups.list(reader, { only }, page)),
      );
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: ProviderGroupSchema,
        toMessage: (row) => showGroup(deps, row),
        keyOf: placedKey,
      });
      return { groups: messages, nextPageToken };
    },
  }) satisfies Partial<Parameters<typeof implement<typeof ProviderGroupService>>[1]>;

type Asking<M extends keyof Service> = { readonly request: In<M>; readonly context: HasValues };
type Kinds = { readonly kinds: ReadonlyMap<string, string> };

const demandKinds = (given: ProviderGroup, kinds: ReadonlyMap<string, string>): void => {
  const [wrong] = propertyViolations(given, kinds);
  if (wrong !== undefined) throw badField(wrong.field, wrong.description);
};

const insertGroup = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, kinds }: Asking<'createProviderGroup'> & Kinds,
): Promise<GroupRecord> => {
  const { records, random, clock } = deps;
  const asked = partitionOf(request.parent);
  if (asked === undefined) throw badField('parent', 'must name one partition');
  demandId('group_id', request.groupId);
  const found = await records.partitions.keep(tx, asked);
  if (!found || !accessOf(context).covers({ partition: found.id })) throw absent(request.parent);
  const given = request.group ?? create(ProviderGroupSchema);
  demandKinds(given, kinds);
  const head = newHead({
    uid: random.uid(),
    id: request.groupId,
    nowMs: clock.now().getTime(),
  });
  const place = { ...head, partition: found.id };
  const { spec, parentKey, parts } = await judgeGroup(deps, tx, {
    place,
    given: groupSpecOf(given),
  });
  const record: GroupRecord = { ...place, parentKey, doc: groupDoc({ ...given, spec }) };
  await records.groups.insert(tx, record, parts);
  tx.audit({ action: 'group.create', ...auditOfGroup(record), after: JSON.parse(record.doc) });
  return record;
};

const writeGroup = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, kinds }: Asking<'updateProviderGroup'> & Kinds,
): Promise<GroupRecord> => {
  const { store, records, clock } = deps;
  const given = request.group ?? create(ProviderGroupSchema);
  const { partition } = parseGroupName(given.name, 'group.name');
  // While a group is moved into another none is moved or made, so that they close no circle.
  if (request.updateMask?.paths.includes('spec.parent_group')) {
    await records.partitions.lock(tx, partition);
  }
  const current = await lockGroup(deps, tx, { name: given.name, context });
  if (!current) throw absent(given.name);
  checkEtag(given.etag, etagOf(current, store.incarnation()));
  const before = storedGroup(current);
  const after = MASK.apply(request.updateMask, given, before);
  if (request.updateMask?.paths.includes('properties')) demandKinds(after, kinds);
  const judging = { place: current, current, given: groupSpecOf(after) };
  const { spec, parentKey, parts } = await judgeGroup(deps, tx, judging);
  const isSame = equals(ProviderGroupSpecSchema, spec, groupSpecOf(before));
  const record: GroupRecord = {
    ...current,
    version: current.version + 1,
    generation: current.generation + (isSame ? 0 : 1),
    updateMs: clock.now().getTime(),
    parentKey,
    doc: groupDoc({ ...after, spec }),
  };
  await records.groups.save(tx, record, parts);
  tx.audit({
    action: 'group.update',
    ...auditOfGroup(record),
    before: JSON.parse(current.doc),
    after: JSON.parse(record.doc),
  });
  return record;
};

const removeGroup = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context }: Asking<'deleteProviderGroup'>,
): Promise<void> => {
  const { store, records } = deps;
  const current = await lockGroup(deps, tx, { name: request.name, context });
  if (!current) {
    if (request.allowMissing) return;
    throw absent(request.name);
  }
  checkEtag(request.etag, etagOf(current, store.incarnation()));
  const { providers, groups } = records;
  const [key, { partition }] = [keyOf(current.id), current];
  const blocked = blockedBy(groupName(current), [
    {
      what: 'providers are members',
      key: 'members',
      count: await providers.countWithTerm(tx, 'group', key, partition),
      names: await providers.withTerm(tx, 'group', key, partition),
    },
    { what: 'groups lie in it', key: 'groups', names: await groups.childNames(tx, current) },
    {
      what: 'say how far they are from it',
      key: 'distances',
      names: await groups.distancesTo(tx, current),
    },
  ]);
  if (blocked) throw blocked;
  await records.groups.remove(tx, current);
  tx.audit({
    action: 'group.delete',
    ...auditOfGroup(current),
    before: JSON.parse(current.doc),
  });
};
