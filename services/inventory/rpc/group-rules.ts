import { clone } from '@bufbuild/protobuf';
import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import {
  type ProviderGroupSpec,
  ProviderGroupSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import type { FieldViolation } from '../../runtime/errors.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { badParentGroup, demandNesting, GROUP_LEVELS_MAX } from '../domain/group-tree.ts';
import { type GroupParts, type GroupRecord, keyOf } from '../domain/records.ts';
import { badField, type RpcDeps, refuseFields } from './deps.ts';
import { keepPlaces, placeViolations } from './place-rules.ts';

type Place = { readonly partition: string; readonly id: string; readonly uid: string };

export type JudgedGroup = {
  /** As it is stored: ids spelled as their objects are. */
  readonly spec: ProviderGroupSpec;
  readonly parentKey: string;
  readonly parts: GroupParts;
};

type Judging = {
  readonly place: Place;
  readonly given: ProviderGroupSpec;
  /** Absent: it is new, so nothing lies in it. */
  readonly current?: GroupRecord;
};

/**
 * The spec if all rules hold that the contract cannot say. What it refers to stays there until the
 * transaction ends. Errors: invalid_argument naming the field.
 */
export const judgeGroup = async (
  deps: RpcDeps,
  tx: Tx,
  { place, given, current }: Judging,
): Promise<JudgedGroup> => {
  const { partition } = place;
  const spec = clone(ProviderGroupSpecSchema, given);
  // A masked update need not say it, so the contract does not demand it.
  if (spec.kind === GroupKind.UNSPECIFIED) throw badField('spec.kind', 'must say what it is');
  const said = { groups: [], distances: spec.distances };
  const places = await keepPlaces(deps, tx, { partition, specs: [said] });
  const shared = await keepShared(deps, tx, { partition, uids: spec.sharedProviders });
  const violations = [...placeViolations(spec, places, keyOf(place.id)), ...shared];
  if (violations.length > 0) throw refuseFields(violations);
  const parent = await nestedIn(deps, tx, { place, parentId: spec.parentGroup, current });
  spec.parentGroup = parent?.id ?? '';
  spec.sharedProviders = spec.sharedProviders.map(keyOf);
  for (const distance of spec.distances) {
    distance.group = places.groups.get(keyOf(distance.group)) ?? distance.group;
  }
  return {
    spec,
    parentKey: parent === undefined ? '' : keyOf(parent.id),
    parts: { sharedProviders: spec.sharedProviders, distances: spec.distances },
  };
};

type Shared = { readonly partition: string; readonly uids: readonly string[] };

const keepShared = async (
  { records }: RpcDeps,
  tx: Tx,
  { partition, uids }: Shared,
): Promise<FieldViolation[]> => {
  const violations: FieldViolation[] = [];
  const seen = new Set<string>();
  for (const [index, uid] of uids.entries()) {
    const field = `spec.shared_providers[${index}]`;
    const found = await records.providers.keepUid(tx, keyOf(uid));
    if (found === undefined || keyOf(found.partition) !== keyOf(partition)) {
      violations.push({ field, description: `"${uid}" is no provider of this partition` });
    }
    if (seen.has(keyOf(uid))) violations.push({ field, description: `"${uid}" stands here twice` });
    seen.add(keyOf(uid));
  }
  return violations;
};

type Nest = {
  readonly place: Place;
  readonly parentId: string;
  readonly current: GroupRecord | undefined;
};

/** The caller keeps the groups of the partition from moving meanwhile. */
const nestedIn = async (
  { records: { groups } }: RpcDeps,
  tx: Tx,
  { place, parentId, current }: Nest,
): Promise<GroupRecord | undefined> => {
  if (parentId === '') return undefined;
  const [parent] = await groups.keepAll(tx, place.partition, [keyOf(parentId)]);
  if (parent === undefined) {
    throw badParentGroup(`"${parentId}" is not a group of this partition`, 'UNKNOWN_GROUP');
  }
  const ancestors = [keyOf(parent.id)];
  for (let above = parent.parentKey; above !== '' && ancestors.length < GROUP_LEVELS_MAX; ) {
    const [next] = await groups.keepAll(tx, place.partition, [above]);
    ancestors.push(above);
    above = next?.parentKey ?? '';
  }
  const levelsBelow =
    current === undefined ? 0 : await groups.levelsBelow(tx, current, GROUP_LEVELS_MAX);
  demandNesting({ key: keyOf(place.id), ancestors, levelsBelow });
  return parent;
};
