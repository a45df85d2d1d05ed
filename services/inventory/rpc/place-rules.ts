/** What specs of providers and of groups say of places: groups that must exist, and distances. */

import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import type { ProviderSpec } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { type DomainError, type FieldViolation, invalidArgument } from '../../runtime/errors.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { distanceViolations } from '../domain/distances.ts';
import { type GroupRecord, keyOf, type PlaceDistance } from '../domain/records.ts';
import type { RpcDeps } from './deps.ts';
import { stepCodes } from './distance-type.ts';
import { groupSpecOf, storedGroup } from './group-message.ts';

type Said = {
  readonly groups: readonly string[];
  readonly distances: readonly PlaceDistance[];
  readonly location?: { readonly rack: string } | undefined;
};

type Wanted = { readonly partition: string; readonly specs: readonly Said[] };

/** What specs may name. */
export type Places = {
  /** Ids as their groups spell them, by key; those that are not there are missing. */
  readonly groups: ReadonlyMap<string, string>;
  /** Keys of those that are racks, among those that something stands in. */
  readonly racks: ReadonlySet<string>;
  /** Step codes by the code of their distance type. */
  readonly steps: ReadonlyMap<string, ReadonlySet<string>>;
};

/** Keeps everything that is named there until the transaction ends. */
export const keepPlaces = async (
  { records }: RpcDeps,
  tx: Tx,
  { partition, specs }: Wanted,
): Promise<Places> => {
  const named = new Set<string>();
  const codes = new Set<string>();
  for (const { groups, distances } of specs) {
    for (const group of groups) named.add(keyOf(group));
    for (const { group, type } of distances) {
      named.add(keyOf(group));
      codes.add(type);
    }
  }
  const stoodIn = new Set(specs.map(({ location }) => keyOf(location?.rack ?? '')));
  const kept = await records.groups.keepAll(tx, partition, [...named].sort());
  const types = await records.distanceTypes.keepAll(tx, [...codes].sort());
  return {
    groups: new Map(kept.map(({ id }) => [keyOf(id), id])),
    racks: new Set(kept.filter((one) => stoodIn.has(keyOf(one.id)) && isRack(one)).map(keyOfId)),
    steps: new Map(types.map((type) => [keyOf(type.id), new Set(stepCodes(type))])),
  };
};

const keyOfId = ({ id }: GroupRecord): string => keyOf(id);

const isRack = (record: GroupRecord): boolean =>
  groupSpecOf(storedGroup(record)).kind === GroupKind.RACK;

/** `self`: key of the group whose spec it is; absent: a provider's. */
export const placeViolations = (
  { distances }: Pick<Said, 'distances'>,
  places: Places,
  self?: string,
): FieldViolation[] =>
  distances.length === 0
    ? []
    : distanceViolations(distances, {
        steps: places.steps,
        groups: new Set(places.groups.keys()),
        ...(self !== undefined && { self }),
      });

/** A provider stands in a rack that is one of its groups. */
export const locationViolations = (
  { groups, location }: Pick<ProviderSpec, 'groups' | 'location'>,
  { racks }: Places,
): FieldViolation[] => {
  const rack = location?.rack ?? '';
  if (rack === '') return [];
  const field = 'spec.location.rack';
  if (!groups.some((group) => keyOf(group) === keyOf(rack))) {
    return [{ field, description: `"${rack}" must be one of spec.groups` }];
  }
  if (racks.has(keyOf(rack))) return [];
  return [{ field, description: `"${rack}" is not a group of kind rack` }];
};

/**
 * Groups that there are not, or that are named twice. Before there were groups any word would do:
 * one that a provider has from then, in `before`, it may keep.
 */
export const groupViolations = (
  named: readonly string[],
  groups: ReadonlyMap<string, string>,
  before: readonly string[],
): FieldViolation[] => {
  const had = new Set(before.map(keyOf));
  const seen = new Set<string>();
  return named.flatMap((group, index) => {
    const field = `spec.groups[${index}]`;
    const key = keyOf(group);
    if (!groups.has(key) && !had.has(key)) {
      return [{ field, description: `"${group}" is not a group of this partition` }];
    }
    if (seen.has(key)) return [{ field, description: `"${group}" stands here twice` }];
    seen.add(key);
    return [];
  });
};

export const refuseGroups = (violations: readonly FieldViolation[]): DomainError => {
  const said = violations.map((one) => `${one.field}: ${one.description}`).join('; ');
  const metadata = { field: violations[0]?.field ?? '' };
  return invalidArgument('UNKNOWN_GROUP', said, { violations, metadata });
};
