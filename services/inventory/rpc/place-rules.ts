/** What specs of providers and of groups say of places: groups that must exist, and distances. */
import { type DomainError, type FieldViolation, invalidArgument } from '../../runtime/errors.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { distanceViolations } from '../domain/distances.ts';
import { keyOf, type PlaceDistance } from '../domain/records.ts';
import type { RpcDeps } from './deps.ts';
import { stepCodes } from './distance-type.ts';

type Wanted = {
  readonly partition: string;
  readonly spec: {
    readonly groups: readonly string[];
    readonly distances: readonly PlaceDistance[];
  };
  /** Key of the group whose spec it is; absent: a provider's. */
  readonly self?: string;
};

export type Places = {
  /** Ids as their groups spell them, by key; those that are not there are missing. */
  readonly groups: ReadonlyMap<string, string>;
  /** What is wrong with the distances. */
  readonly violations: readonly FieldViolation[];
};

/** Keeps everything that is named there until the transaction ends. */
export const keepPlaces = async (
  { records }: RpcDeps,
  tx: Tx,
  { partition, spec, self }: Wanted,
): Promise<Places> => {
  const named = [...spec.groups, ...spec.distances.map(({ group }) => group)].map(keyOf);
  const kept = await records.groups.keepAll(tx, partition, [...new Set(named)]);
  const groups = new Map(kept.map(({ id }) => [keyOf(id), id]));
  const codes = [...new Set(spec.distances.map(({ type }) => type))].toSorted();
  const types = await records.distanceTypes.keepAll(tx, codes);
  const steps = new Map(types.map((type) => [keyOf(type.id), new Set(stepCodes(type))]));
  const known = { steps, groups: new Set(groups.keys()), ...(self !== undefined && { self }) };
  return { groups, violations: distanceViolations(spec.distances, known) };
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
