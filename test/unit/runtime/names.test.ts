import test from 'ava';
import { isUid, namePattern, placeOf } from '../../../services/runtime/names.ts';

const machine = namePattern('partitions/{partition}/projects/{project}/machines/{machine}');

test('a name is parsed into its variables and formatted back', (t) => {
  const name = 'partitions/lab/projects/red/machines/web-1';
  const parsed = machine.parse(name);
  t.deepEqual({ ...parsed }, { partition: 'lab', project: 'red', machine: 'web-1' });
  if (parsed !== undefined) t.is(machine.format(parsed), name);
});

test('a wildcard and a uid may stand for a segment', (t) => {
  t.is(machine.parse('partitions/-/projects/-/machines/m')?.project, '-');
  const uid = '0198c0de-0000-7000-8000-000000000000';
  t.is(machine.parse(`partitions/a/projects/b/machines/${uid}`)?.machine, uid);
  t.true(isUid(uid));
  t.false(isUid('web-1'));
});

for (const wrong of [
  '',
  'machines/m',
  'partitions//projects/q/machines/m',
  'partitions/p/projects/q/machines/m/x',
  'partitions/p/projects/q/machines/..',
  'partitions/p/projects/q/machines/a b',
  'partitions/p/projects/q/machines/ü',
  `partitions/p/projects/q/machines/${'x'.repeat(600)}`,
]) {
  test(`"${wrong.slice(0, 50)}" is no machine's name`, (t) => {
    t.is(machine.parse(wrong), undefined);
  });
}

test('a part of a segment may be a variable', (t) => {
  const operation = namePattern('partitions/{partition}/operations/{area}-{uuid}');
  const uid = '0198c0de-0000-7000-8000-000000000000';
  t.is(operation.parse(`partitions/p/operations/machine-${uid}`)?.partition, 'p');
});

test('the place of a name is what it says of partition and project', (t) => {
  const place = (name: string) => ({ ...placeOf(name) });
  t.deepEqual(place('partitions/p/projects/q/machines/m'), { partition: 'p', project: 'q' });
  t.deepEqual(place('partitions/p/providers/x'), { partition: 'p' });
  t.deepEqual(place('projects/q/quotas/z'), { project: 'q' });
  t.deepEqual(place('partitions/-/projects/q'), { partition: undefined, project: 'q' });
  t.deepEqual(place('users/u'), {});
  t.deepEqual(place('0198c0de-0000-7000-8000-000000000000'), {});
});
