import { create, type MessageShape } from '@bufbuild/protobuf';
import {
  ChangeMembersResponseSchema,
  type ProviderGroupService,
} from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import type { ProviderSpec } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { HasValues } from '../../runtime/context.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type GroupRecord, keyOf, type ProviderRecord, providerName } from '../domain/records.ts';
import { demandFree, nextGeneration, unreserved } from '../domain/reservation.ts';
import { absent, badField, mutate, type RpcDeps } from './deps.ts';
import { lockGroup } from './group-locks.ts';
import { counted, showGroup } from './group-message.ts';
import { auditOf, lockProviders } from './provider-locks.ts';
import { providerDoc, specOf, storedProvider } from './provider-message.ts';

type Method = typeof ProviderGroupService.method.changeMembers;
type Asking = { readonly request: MessageShape<Method['input']>; readonly context: HasValues };

/** All or nothing; whoever is a member already, or is none, is left as it is. */
export const changeMembers = (
  deps: RpcDeps,
  asking: Asking,
): Promise<MessageShape<Method['output']>> => {
  const response = ChangeMembersResponseSchema;
  const { request, context } = asking;
  return mutate(deps, context, { response }, async (tx) => {
    const group = await lockGroup(deps, tx, { name: request.name, context });
    if (group === undefined) throw absent(request.name);
    const members = await lockMembers(deps, tx, { ...asking, group });
    const added = request.add.length;
    const joining = members.slice(0, added).filter((one) => !isMember(one, group));
    const leaving = members.slice(added).filter((one) => isMember(one, group));
    await writeMembers(deps, tx, { group, changed: joining, isMember: true });
    await writeMembers(deps, tx, { group, changed: leaving, isMember: false });
    const [shown = { ...group, members: 0 }] = await counted(deps, tx, [group]);
    return create(response, { group: showGroup(deps, shown) });
  });
};

/** Those to add, then those to take out. */
const lockMembers = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, group }: Asking & { readonly group: GroupRecord },
): Promise<readonly ProviderRecord[]> => {
  const idsOrUids = [...request.add, ...request.remove];
  if (idsOrUids.length === 0) throw badField('add', 'name providers to add or to remove');
  const parent = `partitions/${group.partition}`;
  return await lockProviders(deps, tx, { parent, idsOrUids, context });
};

const groupsOf = (record: ProviderRecord): readonly string[] =>
  specOf(storedProvider(record)).groups;

const isMember = (record: ProviderRecord, group: GroupRecord): boolean =>
  groupsOf(record).some((one) => keyOf(one) === keyOf(group.id));

const GROUPS_MAX = 64;

/** What leaves its rack stands there no longer. */
const standing = (spec: ProviderSpec, groups: readonly string[]): ProviderSpec => {
  const { location } = spec;
  const rack = keyOf(location?.rack ?? '');
  if (location === undefined || rack === '') return spec;
  if (groups.some((group) => keyOf(group) === rack)) return spec;
  return { ...spec, location: { ...location, rack: '', position: 0 } };
};

type Membership = {
  readonly group: GroupRecord;
  readonly changed: readonly ProviderRecord[];
  readonly isMember: boolean;
};

const writeMembers = async (
  { records, clock }: RpcDeps,
  tx: Tx,
  { group, changed, isMember: joins }: Membership,
): Promise<void> => {
  const nowMs = clock.now().getTime();
  const written = changed.map((record): ProviderRecord => {
    demandFree(record, '', nowMs);
    const stored = storedProvider(record);
    const others = groupsOf(record).filter((one) => keyOf(one) !== keyOf(group.id));
    const groups = joins ? [...others, group.id] : others;
    if (groups.length > GROUPS_MAX) {
      throw badField('add', `${providerName(record)} is in ${GROUPS_MAX} groups already`);
    }
    const generation = nextGeneration(record);
    return {
      ...record,
      version: record.version + 1,
      generation,
      reserved: unreserved(record, generation),
      updateMs: nowMs,
      doc: providerDoc({ ...stored, spec: { ...standing(specOf(stored), groups), groups } }),
    };
  });
  const key = keyOf(group.id);
  await records.providers.saveMembership(tx, written, { group: key, isMember: joins });
  for (const [index, record] of written.entries()) {
    tx.audit({
      action: 'provider.update',
      ...auditOf(record),
      before: JSON.parse(changed[index]?.doc ?? 'null'),
      after: JSON.parse(record.doc),
    });
  }
};
