import test from 'ava';
import { demandTree, TREE_LEVELS_MAX } from '../../../services/inventory/domain/provider-tree.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';

const ancestors = (levels: number): string[] =>
  Array.from({ length: levels }, (_, level) => `above-${level}`);

const isRefused = (error: unknown): boolean =>
  isDomainError(error, 'invalid_argument', 'INVALID_FIELD') &&
  error.metadata.field === 'spec.parent_provider';

test('a provider is not its own parent or ancestor', (t) => {
  const place = (above: string[]) => () =>
    demandTree({ uid: 'me', ancestors: above, levelsBelow: 0 });
  t.notThrows(place(['parent', 'root']));
  t.true(isRefused(t.throws(place(['me']))));
  t.true(isRefused(t.throws(place(['parent', 'me', 'root']))));
});

const fits = test.macro({
  exec: (t, above: number, levelsBelow: number, expected: boolean) => {
    const place = () => demandTree({ uid: 'me', ancestors: ancestors(above), levelsBelow });
    if (expected) t.notThrows(place);
    else t.true(isRefused(t.throws(place)));
  },
  title: (name = '') => `levels of a tree: ${name}`,
});
test('the deepest that fits without parts', fits, TREE_LEVELS_MAX - 1, 0, true);
test('one more without parts', fits, TREE_LEVELS_MAX, 0, false);
test('the deepest that fits with parts', fits, TREE_LEVELS_MAX - 3, 2, true);
test('its parts are too deep', fits, TREE_LEVELS_MAX - 3, 3, false);
test('below a root', fits, 1, TREE_LEVELS_MAX - 2, true);
