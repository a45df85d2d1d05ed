import test from 'ava';
import { DomainError } from '../../../services/runtime/errors.ts';
import type { Property, RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import { namedFieldsOf } from '../../../services/scheduler/domain/named-fields.ts';
import {
  type CheckedSpec,
  ITEMS_MAX,
  namedIn,
  PLACEMENTS_MAX,
  violationsOf,
} from '../../../services/scheduler/domain/request-check.ts';
import { assertNamesExist } from '../../../services/scheduler/domain/request-names.ts';
import { NO_TOPOLOGY, type Topology } from '../../../services/scheduler/domain/topology.ts';
import { CPU, constraint, groupOf, MEMORY } from './builders.ts';

const specOf = (groups: readonly RequestGroup[], rest: Partial<CheckedSpec> = {}): CheckedSpec => ({
  groups,
  count: 1,
  ranking: 'pack',
  ...rest,
});
const fieldsOf = (spec: CheckedSpec, at?: string) => violationsOf(spec, at).map((one) => one.field);

test('a request that makes sense has no violations', (t) => {
  const groups = [
    groupOf({ [CPU]: 1, [MEMORY]: 2 }, { name: 'a', isolateFrom: ['b', 'a'], sameSubtree: ['a'] }),
    groupOf(
      { [CPU]: 1 },
      { name: 'b', distances: [{ type: 'net', from: { kind: 'request-group', name: 'a' } }] },
    ),
  ];
  t.deepEqual(violationsOf(specOf(groups)), []);
});

test('every wrong field is named', (t) => {
  const twice = groupOf({ [CPU]: 1 });
  const groups = [
    { ...twice, resources: [...twice.resources, ...twice.resources] },
    groupOf({ [CPU]: 2 ** 60 }, { isolateFrom: ['nobody'], sameSubtree: ['no-one'] }),
    groupOf(
      {},
      {
        name: 'c',
        resources: [{ resourceType: CPU, amount: 2, minAmount: 3 }],
        distances: [
          { type: 'net', from: { kind: 'request-group', name: 'x' } },
          { type: 'net', from: { kind: 'request-group', name: 'c' } },
        ],
      },
    ),
  ];
  t.deepEqual(fieldsOf(specOf(groups)), [
    'claim.spec.groups[0].resources[1].resource_type',
    'claim.spec.groups[1].name',
    'claim.spec.groups[1].resources[0].amount',
    'claim.spec.groups[1].isolate_from[0]',
    'claim.spec.groups[1].same_subtree[0]',
    'claim.spec.groups[2].resources[0].min_amount',
    'claim.spec.groups[2].distances[0].request_group',
    'claim.spec.groups[2].distances[1].request_group',
  ]);
});

test('a ranking needs what it ranks by', (t) => {
  const groups = [groupOf({ [CPU]: 1 })];
  t.deepEqual(fieldsOf(specOf(groups, { ranking: 'closest' }), 'spec'), [
    'spec.ranking_distance_type',
  ]);
  t.deepEqual(fieldsOf(specOf(groups, { nearGroup: 'rack1' })), ['claim.spec.near_group']);
  const near = { ranking: 'closest', rankingDistanceType: 'net', nearGroup: 'rack1' } as const;
  t.deepEqual(fieldsOf(specOf(groups, near)), []);
});

test('a claim that no record could hold is refused before anybody looks for places', (t) => {
  const several = groupOf({ [CPU]: 1, [MEMORY]: 1 }, { multipleProviders: true });
  t.deepEqual(fieldsOf(specOf([several], { count: PLACEMENTS_MAX / 2 })), []);
  t.deepEqual(fieldsOf(specOf([several], { count: PLACEMENTS_MAX / 2 + 1 })), ['claim.spec.count']);
  const codes = Array.from({ length: ITEMS_MAX }, (_, at) => `code${at}`);
  const many = groupOf({ [CPU]: 1 }, { capabilities: [constraint({ any: codes })] });
  t.deepEqual(fieldsOf(specOf([many])), []);
  t.deepEqual(fieldsOf(specOf([{ ...many, tags: constraint({ require: ['one'] }) }])), [
    'claim.spec.groups',
  ]);
});

const TOPOLOGY: Topology = {
  ...NO_TOPOLOGY,
  groups: new Map([
    ['rack1', { id: 'rack1', kind: 'rack', parent: undefined, sharedProviders: [], distances: [] }],
  ]),
  distanceTypes: new Map([
    [
      'net',
      {
        code: 'net',
        steps: [
          { code: 'near', position: 0, sharedKind: 'rack' },
          { code: 'far', position: 1, sharedKind: undefined },
        ],
      },
    ],
  ]),
  schedulable: new Set(['disk.kind', 'bays', 'os', 'any.kind']),
  propertyKinds: new Map([
    ['disk.kind', 'string'],
    ['bays', 'integer'],
    ['os', 'strings'],
  ]),
};
const NO_PROPERTIES = {
  requireItems: [],
  forbidItems: [],
  anyItems: [],
  requireKeys: [],
  forbidKeys: [],
  anyKeys: [],
};

const AT = 'claim.spec';

const refusalOf = (spec: CheckedSpec): DomainError | undefined => {
  try {
    assertNamesExist(TOPOLOGY, spec, { at: AT, fields: namedFieldsOf(spec, AT) });
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
};

const reasonOf = (group: Partial<RequestGroup>): string | undefined =>
  refusalOf(specOf([groupOf({ [CPU]: 1 }, group)]))?.reason;

test('what a request names must exist', (t) => {
  const near = { type: 'net', from: { kind: 'provider-group', id: 'rack1' } } as const;
  t.is(reasonOf({ providerGroups: constraint({ any: ['rack1'] }) }), undefined);
  t.is(reasonOf({ providerGroups: constraint({ forbid: ['rack9'] }) }), 'UNKNOWN_GROUP');
  t.is(reasonOf({ distances: [{ ...near, minimum: 'near', maximum: 'far' }] }), undefined);
  t.is(reasonOf({ distances: [{ ...near, type: 'power' }] }), 'UNKNOWN_DISTANCE_TYPE');
  t.is(reasonOf({ distances: [{ ...near, maximum: 'nearest' }] }), 'INVALID_FIELD');
  t.is(reasonOf({ distances: [{ ...near, minimum: 'far', maximum: 'near' }] }), 'INVALID_FIELD');
  t.is(reasonOf({ properties: { ...NO_PROPERTIES, anyKeys: ['disk.kind'] } }), undefined);
  const secret = { key: 'secret', value: { kind: 'bool', value: true } } as const;
  t.is(
    reasonOf({ properties: { ...NO_PROPERTIES, forbidItems: [secret] } }),
    'PROPERTY_NOT_SCHEDULABLE',
  );
});

test('a property is asked for with a value of the kind that it has', (t) => {
  const text = { kind: 'string', value: '4' } as const;
  const whole = { kind: 'integer', value: '4' } as const;
  const wrongAt = (key: string, value: Property): string | undefined => {
    const properties = { ...NO_PROPERTIES, anyItems: [{ key, value }] };
    return refusalOf(specOf([groupOf({ [CPU]: 1 }, { properties })]))?.metadata.field;
  };
  const field = 'claim.spec.groups[0].properties.any_items[0].value';
  t.is(wrongAt('disk.kind', whole), field);
  t.is(wrongAt('bays', text), field);
  t.is(wrongAt('os', whole), field);
  t.is(wrongAt('disk.kind', text), undefined);
  t.is(wrongAt('bays', whole), undefined);
  t.is(wrongAt('os', text), undefined, 'it is met by a list that holds it');
  t.is(wrongAt('any.kind', whole), undefined, 'its definition says no kind');
});

test('what does not exist is told with the field that names it', (t) => {
  const fieldOf = (group: Partial<RequestGroup>, rest: Partial<CheckedSpec> = {}) => {
    const groups = [groupOf({ [CPU]: 1 }), groupOf({ [CPU]: 1 }, { name: 'b', ...group })];
    const { extras, metadata } = refusalOf(specOf(groups, rest)) ?? {};
    t.is(extras?.violations?.[0]?.field, metadata?.field);
    return metadata?.field?.replace('claim.spec.', '');
  };
  const near = { type: 'net', from: { kind: 'provider-group', id: 'rack1' } } as const;
  const far = { ...near, from: { kind: 'provider-group', id: 'rack9' } } as const;
  const secret = { key: 'secret', value: { kind: 'bool', value: true } } as const;
  t.is(
    fieldOf({ providerGroups: constraint({ any: ['rack1', 'rack9'] }) }),
    'groups[1].provider_groups.any[1]',
  );
  t.is(fieldOf({ distances: [near, far] }), 'groups[1].distances[1].provider_group');
  t.is(fieldOf({ distances: [{ ...near, type: 'power' }] }), 'groups[1].distances[0].type');
  t.is(
    fieldOf({ properties: { ...NO_PROPERTIES, forbidItems: [secret] } }),
    'groups[1].properties.forbid_items[0].key',
  );
  t.is(
    fieldOf({ properties: { ...NO_PROPERTIES, anyKeys: ['disk.kind', 'x'] } }),
    'groups[1].properties.any_keys[1]',
  );
  t.is(fieldOf({}, { nearGroup: 'rack9' }), 'near_group');
  t.is(fieldOf({}, { rankingDistanceType: 'power' }), 'ranking_distance_type');
});

test('what a request names is listed once', (t) => {
  const group = groupOf(
    { [CPU]: 1 },
    {
      providerGroups: constraint({ require: ['rack1'], forbid: ['rack1'] }),
      distances: [{ type: 'net', from: { kind: 'provider-group', id: 'site1' } }],
    },
  );
  const asked = specOf([group], { nearGroup: 'rack1', rankingDistanceType: 'net' });
  t.deepEqual(namedIn(namedFieldsOf(asked, AT)), {
    groups: ['rack1', 'site1'],
    distanceTypes: ['net'],
    properties: [],
  });
});
