import test from 'ava';
import { violationsOf } from '../../../services/scheduler/domain/request-check.ts';
import { CPU, groupOf, MEMORY } from './builders.ts';

test('a request that makes sense has no violations', (t) => {
  const groups = [
    groupOf({ [CPU]: 1, [MEMORY]: 2 }, { name: 'a', isolateFrom: ['b', 'a'] }),
    groupOf({ [CPU]: 1 }, { name: 'b' }),
  ];
  t.deepEqual(violationsOf(groups), []);
});

test('every wrong field is named', (t) => {
  const twice = groupOf({ [CPU]: 1 });
  const groups = [
    { ...twice, resources: [...twice.resources, ...twice.resources] },
    groupOf({ [CPU]: 2 ** 60 }, { isolateFrom: ['nobody'] }),
  ];
  t.deepEqual(
    violationsOf(groups).map(({ field }) => field),
    [
      'claim.spec.groups[0].resources[1].resource_type',
      'claim.spec.groups[1].name',
      'claim.spec.groups[1].resources[0].amount',
      'claim.spec.groups[1].isolate_from',
    ],
  );
});
