import test from 'ava';
import { accessFor, type Place, sees } from '../../../services/runtime/access.ts';
import { type Grant, holds, type Identity } from '../../../services/runtime/identity.ts';

const someone = (...grants: Omit<Grant, 'role'>[]): Identity => ({
  kind: 'user',
  principal: 'users/x',
  uid: 'x',
  grants: grants.map((grant) => ({ role: 'r', ...grant })),
});
const can = (...permissions: string[]) => ({ permissions: new Set(permissions) });

const pattern = test.macro({
  exec: (t, held: string, asked: string, expected: boolean) => {
    t.is(holds(new Set([held]), asked), expected);
  },
  title: (_, held, asked, expected) =>
    `"${held}" ${expected ? 'holds' : 'does not hold'} "${asked}"`,
});
test(pattern, 'machine.get', 'machine.get', true);
test(pattern, 'machine.get', 'machine.gets', false);
test(pattern, 'machine.*', 'machine.get', true);
test(pattern, 'machine.*', 'machines.get', false);
test(pattern, 'machine.*', 'machine.console.write', true);
test(pattern, '*', 'anything.at.all', true);
test(pattern, 'machine', 'machine.get', false);
test(pattern, 'm*', 'machine.get', false);

const covering = test.macro({
  exec: (t, where: Partial<Grant>, place: Place, expected: boolean) => {
    const access = accessFor(someone({ ...can('a.b'), ...where }), 'a.b');
    t.is(access.covers(place), expected);
    t.false(accessFor(someone({ ...can('a.c'), ...where }), 'a.b').covers(place));
  },
  title: (_, where, place, expected) =>
    `a grant on ${JSON.stringify(where)} ${expected ? 'covers' : 'leaves out'} ${JSON.stringify(place)}`,
});
test(covering, {}, {}, true);
test(covering, {}, { partition: 'p', project: 'q' }, true);
test(covering, { project: 'q' }, { partition: 'p', project: 'q' }, true);
test(covering, { project: 'q' }, { project: 'Q' }, true);
test(covering, { project: 'q' }, { partition: 'p' }, false);
test(covering, { project: 'q' }, {}, false);
test(covering, { partition: 'p' }, { partition: 'p' }, true);
test(covering, { partition: 'p' }, { partition: 'p', project: 'q' }, true);
test(covering, { partition: 'p' }, { project: 'q' }, false);
test(covering, { partition: 'p', project: 'q' }, { partition: 'p', project: 'q' }, true);
test(covering, { partition: 'p', project: 'q' }, { partition: 'o', project: 'q' }, false);
test(covering, { partition: 'p', project: 'q' }, { partition: 'p' }, false);

const seeing = test.macro({
  exec: (t, where: Partial<Grant>, place: Place, expected: boolean) => {
    t.is(sees(someone({ ...can('other.thing'), ...where }), place), expected);
  },
  title: (_, where, place, expected) =>
    `a grant on ${JSON.stringify(where)} ${expected ? 'shows' : 'hides'} ${JSON.stringify(place)}`,
});
test(seeing, {}, { project: 'q' }, true);
test(seeing, { project: 'q' }, { partition: 'p', project: 'q' }, true);
test(seeing, { project: 'q' }, { project: 'o' }, false);
test(seeing, { project: 'q' }, { partition: 'p' }, false);
test(seeing, { partition: 'p' }, { partition: 'p', project: 'q' }, true);
test(seeing, { partition: 'p' }, { project: 'q' }, false);
test(seeing, { partition: 'p', project: 'q' }, { partition: 'p' }, true);
test(seeing, { partition: 'p', project: 'q' }, { partition: 'p', project: 'o' }, false);

test('the sets say where to look in SQL', (t) => {
  const access = accessFor(
    someone(
      { ...can('a.*'), project: 'q' },
      { ...can('a.b'), partition: 'p' },
      { ...can('*'), partition: 'o', project: 'z' },
      { ...can('c.d'), project: 'hidden' },
    ),
    'a.b',
  );
  t.false(access.everything);
  t.deepEqual([...access.projects], ['q']);
  t.deepEqual([...access.partitions], ['p']);
  t.deepEqual(access.pairs, [{ partition: 'o', project: 'z' }]);
  t.false(access.nowhere);
  t.true(accessFor(someone(), 'a.b').nowhere);
});
