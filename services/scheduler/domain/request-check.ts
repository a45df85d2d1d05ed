/** Whether a request makes sense in itself, beyond what the contract's rules can say. */
import type { FieldViolation } from '../../runtime/errors.ts';
import type { ClaimSpec, DistanceConstraint, RequestGroup, ResourceRequest } from './claim.ts';
import { type NamedField, namesOf } from './named-fields.ts';

/** The name of a group that was given none. */
export const MAIN_GROUP = 'main';

/** What a claim may consist of, so that its record stays what coordination can keep. */
export const PLACEMENTS_MAX = 2_048;
/** Codes, names and values that the constraints of a claim may list in all. */
export const ITEMS_MAX = 4_096;

export type CheckedSpec = Pick<
  ClaimSpec,
  'groups' | 'count' | 'ranking' | 'rankingDistanceType' | 'nearGroup'
>;

/** What is wrong, field by field; empty = nothing. `at` is the field that holds the spec. */
export const violationsOf = (spec: CheckedSpec, at = 'claim.spec'): readonly FieldViolation[] => {
  const names = new Set<string>();
  const all = new Set(spec.groups.map(({ name }) => name));
  const found = spec.groups.flatMap((group, position) => {
    const field = `${at}.groups[${position}]`;
    const twice = names.has(group.name)
      ? [wrong(`${field}.name`, `"${group.name}" stands twice; groups need names of their own`)]
      : [];
    names.add(group.name);
    return [...twice, ...resourceProblems(group, field), ...nameProblems(group, all, field)];
  });
  return [...found, ...rankingProblems(spec, at), ...sizeProblems(spec, at)];
};

const wrong = (field: string, description: string): FieldViolation => ({ field, description });

const resourceProblems = (group: RequestGroup, at: string): readonly FieldViolation[] => {
  const codes = new Set<string>();
  return group.resources.flatMap((resource, position) => {
    const { resourceType, amount, minAmount } = resource;
    const field = `${at}.resources[${position}]`;
    const found: FieldViolation[] = [];
    if (codes.has(resourceType)) {
      const description = `"${resourceType}" stands twice; add the amounts up`;
      found.push(wrong(`${field}.resource_type`, description));
    }
    codes.add(resourceType);
    if (!Number.isSafeInteger(amount)) found.push(wrong(`${field}.amount`, 'must be below 2^53'));
    if (minAmount !== undefined && minAmount > amount) {
      found.push(wrong(`${field}.min_amount`, 'must be no more than amount'));
    }
    return found;
  });
};

const nameProblems = (
  group: RequestGroup,
  all: ReadonlySet<string>,
  at: string,
): readonly FieldViolation[] => {
  const missing = (
    names: readonly string[],
    field: (position: number) => string,
  ): readonly FieldViolation[] =>
    names.flatMap((name, n) =>
      all.has(name) ? [] : [wrong(`${at}.${field(n)}`, `"${name}" is no group of this claim`)],
    );
  const distances = (group.distances ?? []).flatMap(({ from }, position) => {
    const field = `distances[${position}].request_group`;
    if (from.kind !== 'request-group') return [];
    if (from.name !== group.name) return missing([from.name], () => field);
    return [wrong(`${at}.${field}`, 'a group has no distance from itself')];
  });
  return [
    ...missing(group.isolateFrom, (n) => `isolate_from[${n}]`),
    ...missing(group.sameSubtree ?? [], (n) => `same_subtree[${n}]`),
    ...distances,
  ];
};

const rankingProblems = (spec: CheckedSpec, at: string): readonly FieldViolation[] => {
  const { ranking, rankingDistanceType, nearGroup } = spec;
  const found: FieldViolation[] = [];
  if (ranking === 'closest' && rankingDistanceType === undefined) {
    found.push(wrong(`${at}.ranking_distance_type`, 'must be given with RANKING_CLOSEST'));
  }
  if (nearGroup !== undefined && ranking !== 'closest') {
    found.push(wrong(`${at}.near_group`, 'is for RANKING_CLOSEST only'));
  }
  return found;
};

const sizeProblems = ({ groups, count }: CheckedSpec, at: string): readonly FieldViolation[] => {
  const each = groups.reduce(
    (sum, group) => sum + (group.multipleProviders === true ? group.resources.length : 1),
    0,
  );
  const found: FieldViolation[] = [];
  if (each * count > PLACEMENTS_MAX) {
    const wanted = `${count} times ${each} placements`;
    found.push(wrong(`${at}.count`, `${wanted} are more than the ${PLACEMENTS_MAX} of one claim`));
  }
  const items = groups.reduce((sum, group) => sum + itemsOf(group), 0);
  if (items > ITEMS_MAX) {
    found.push(wrong(`${at}.groups`, `the constraints list ${items} items; at most ${ITEMS_MAX}`));
  }
  return found;
};

type Listing = Readonly<Record<string, readonly unknown[]>>;

const countIn = (lists: Listing): number =>
  Object.values(lists).reduce((sum, list) => sum + list.length, 0);

const itemsOf = (group: RequestGroup): number => {
  const blocks = [...group.capabilities, ...group.resources.flatMap(blocksOf)];
  const constraints = [...blocks, group.providerGroups, group.tags];
  const listed = constraints.reduce((sum, one) => sum + countIn(one), 0);
  return listed + (group.properties === undefined ? 0 : countIn(group.properties));
};

const blocksOf = ({ capabilities }: Pick<ResourceRequest, 'capabilities'>) => capabilities ?? [];

/** What a request names that lives elsewhere: groups in lower case, codes, property keys. */
export type Named = {
  readonly groups: readonly string[];
  readonly distanceTypes: readonly string[];
  readonly properties: readonly string[];
};

export const namedIn = (fields: readonly NamedField[]): Named => ({
  groups: namesOf(fields, 'group'),
  distanceTypes: namesOf(fields, 'distance-type'),
  properties: namesOf(fields, 'property'),
});

/** The steps that a distance constraint names, with the field of each. */
export const stepsOf = ({ minimum, maximum }: DistanceConstraint) => [
  ...(minimum === undefined ? [] : [{ field: 'minimum', step: minimum }]),
  ...(maximum === undefined ? [] : [{ field: 'maximum', step: maximum }]),
];
