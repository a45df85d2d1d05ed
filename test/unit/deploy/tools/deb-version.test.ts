import test from 'ava';
import { compareDebVersions, fulfils } from '../../../../deploy/tools/deb-version.ts';

const orders: readonly (readonly [string, -1 | 0 | 1, string])[] = [
  ['1.0', 0, '1.0'],
  ['1.9', -1, '1.10'],
  ['1.0~rc1', -1, '1.0'],
  ['1.0-1', -1, '1.0-1+b1'],
  ['1:0.1', 1, '9.9'],
  ['2.3.0-1', 1, '2.3'],
  ['1.0a', -1, '1.0+'],
  ['7.2+dfsg-7+deb12u18+b3', 1, '7.2+dfsg-7+deb12u9'],
  ['252.39-1~deb12u2', -1, '252.39-1'],
  ['1.0.0', 1, '1.0'],
  ['0', 0, '00'],
];

for (const [a, order, b] of orders) {
  const sign = order === 0 ? '=' : order < 0 ? '<' : '>';
  test(`the version ${a} ${sign} ${b}, seen from both sides`, (t) => {
    t.is(compareDebVersions(a, b), order);
    t.is(compareDebVersions(b, a), order === 0 ? 0 : -order);
  });
}

test('a constraint holds on its side of the boundary only', (t) => {
  t.true(fulfils('2.0', '>=', '2.0'));
  t.false(fulfils('2.0', '>>', '2.0'));
  t.true(fulfils('2.0', '<=', '2.0'));
  t.false(fulfils('2.0', '<<', '2.0'));
  t.true(fulfils('2.0-1', '=', '2.0-1'));
  t.false(fulfils('2.0-2', '=', '2.0-1'));
});
