import test from 'ava';
import {
  distanceViolations,
  type Step,
  stepViolations,
} from '../../../services/inventory/domain/distances.ts';
import { demandNesting, GROUP_LEVELS_MAX } from '../../../services/inventory/domain/group-tree.ts';
import type { PlaceDistance } from '../../../services/inventory/domain/records.ts';
import { isBuiltIn } from '../../../services/inventory/domain/resource-types.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';

const steps = test.macro({
  exec: (t, given: readonly Step[], expected: readonly string[]) =>
    t.deepEqual(
      stepViolations(given).map(({ field }) => field),
      expected,
    ),
  title: (name = '') => `steps of a distance type: ${name}`,
});
const near = { code: 'near', position: 0 };
test('one is enough', steps, [near], []);
test('positions grow', steps, [near, { code: 'far', position: 1 }], []);
test('equal positions', steps, [near, { code: 'far', position: 0 }], ['spec.steps[1].position']);
test('falling positions', steps, [{ code: 'far', position: 7 }, near], ['spec.steps[1].position']);
test('one code twice', steps, [near, { code: 'near', position: 1 }], ['spec.steps[1].code']);

const known = {
  steps: new Map([['network', new Set(['near', 'far'])]]),
  groups: new Set(['rack-1', 'rack-2']),
};
const right = { type: 'network', group: 'Rack-1', step: 'near' };

const distances = test.macro({
  exec: (t, given: readonly PlaceDistance[], expected: readonly string[], self: string = '') =>
    t.deepEqual(
      distanceViolations(given, self === '' ? known : { ...known, self }).map(({ field }) => field),
      expected,
    ),
  title: (name = '') => `distances: ${name}`,
});
test('groups compare without regard to case', distances, [right], []);
test('one to each group', distances, [right, { ...right, group: 'rack-2' }], []);
test('an unknown type', distances, [{ ...right, type: 'x' }], ['spec.distances[0].type']);
test('an unknown step', distances, [{ ...right, step: 'x' }], ['spec.distances[0].step']);
test('an unknown group', distances, [{ ...right, group: 'x' }], ['spec.distances[0].group']);
test('to itself', distances, [right], ['spec.distances[0].group'], 'rack-1');
test(
  'two to one group',
  distances,
  [right, { ...right, group: 'RACK-1', step: 'far' }],
  ['spec.distances[1].group'],
);

test('groups close no circle and lie not too deep', (t) => {
  const nest = (ancestors: readonly string[], levelsBelow: number) => () =>
    demandNesting({ key: 'rack', ancestors, levelsBelow });
  const isBad = (error: unknown) => isDomainError(error, 'invalid_argument', 'INVALID_FIELD');
  t.notThrows(nest(['row', 'site'], 0));
  t.true(isBad(t.throws(nest(['row', 'rack'], 0))));
  const levels = Array.from({ length: GROUP_LEVELS_MAX - 1 }, (_, at) => `g${at}`);
  t.notThrows(nest(levels, 0));
  t.true(isBad(t.throws(nest(levels, 1))));
});

test('types of ours are told by their code, whatever its case', (t) => {
  t.true(isBuiltIn('runm.memory'));
  t.true(isBuiltIn('RUNM.x'));
  t.false(isBuiltIn('acme.runm.x'));
});
