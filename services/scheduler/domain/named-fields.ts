/** What a request names that lives elsewhere, with the field of each: so an error can say where. */
import type {
  ClaimSpec,
  DistanceConstraint,
  PropertyConstraint,
  RequestGroup,
  SetConstraint,
} from './claim.ts';
import type { PropertyKind } from './topology.ts';

export type NamedField = {
  readonly kind: 'resource-type' | 'capability' | 'group' | 'distance-type' | 'property';
  readonly name: string;
  readonly field: string;
  /** Of a property that is wanted with a value. */
  readonly valueKind?: PropertyKind;
};

type Spec = Pick<ClaimSpec, 'groups' | 'rankingDistanceType' | 'nearGroup'>;

/** In the order of the fields. `at` is the field with the spec. */
export const namedFieldsOf = (spec: Spec, at: string): readonly NamedField[] => [
  ...spec.groups.flatMap((group, position) => fieldsOf(group, `${at}.groups[${position}]`)),
  ...optional('distance-type', spec.rankingDistanceType, `${at}.ranking_distance_type`),
  ...optional('group', spec.nearGroup, `${at}.near_group`),
];

type Kind = NamedField['kind'];

/** Each once. */
export const namesOf = (fields: readonly NamedField[], wanted: Kind): readonly string[] => {
  const names: string[] = [];
  for (const { kind, name } of fields) if (kind === wanted) names.push(name);
  return names.length < 2 ? names : [...new Set(names)];
};

const optional = (kind: Kind, name: string | undefined, field: string): readonly NamedField[] =>
  name === undefined ? [] : [{ kind, name, field }];

const fieldsOf = (group: RequestGroup, at: string): readonly NamedField[] => [
  ...group.resources.flatMap(({ resourceType, capabilities }, position): NamedField[] => {
    const field = `${at}.resources[${position}]`;
    return [
      { kind: 'resource-type', name: resourceType, field: `${field}.resource_type` },
      ...blocks(capabilities ?? [], field),
    ];
  }),
  ...blocks(group.capabilities, at),
  ...listed('group', group.providerGroups, `${at}.provider_groups`),
  ...(group.properties === undefined ? [] : keysOf(group.properties, `${at}.properties`)),
  ...(group.distances ?? []).flatMap((one, position) =>
    distanceFields(one, `${at}.distances[${position}]`),
  ),
];

const blocks = (constraints: readonly SetConstraint[], at: string): readonly NamedField[] =>
  constraints.flatMap((one, position) =>
    listed('capability', one, `${at}.capabilities[${position}]`),
  );

const listed = (kind: Kind, constraint: SetConstraint, at: string): readonly NamedField[] =>
  (['require', 'forbid', 'any'] as const).flatMap((list) =>
    constraint[list].map((name, position) => ({ kind, name, field: `${at}.${list}[${position}]` })),
  );

const keysOf = (constraint: PropertyConstraint, at: string): readonly NamedField[] => {
  const items = (list: string, all: PropertyConstraint['anyItems']): readonly NamedField[] =>
    all.map(({ key, value }, n) => ({
      kind: 'property',
      name: key,
      field: `${at}.${list}[${n}].key`,
      valueKind: value.kind,
    }));
  const keys = (list: string, all: readonly string[]): readonly NamedField[] =>
    all.map((name, n) => ({ kind: 'property', name, field: `${at}.${list}[${n}]` }));
  return [
    ...items('require_items', constraint.requireItems),
    ...items('forbid_items', constraint.forbidItems),
    ...items('any_items', constraint.anyItems),
    ...keys('require_keys', constraint.requireKeys),
    ...keys('forbid_keys', constraint.forbidKeys),
    ...keys('any_keys', constraint.anyKeys),
  ];
};

const distanceFields = ({ type, from }: DistanceConstraint, at: string): readonly NamedField[] => [
  { kind: 'distance-type', name: type, field: `${at}.type` },
  ...(from.kind === 'provider-group'
    ? [{ kind: 'group' as const, name: from.id, field: `${at}.provider_group` }]
    : []),
];
