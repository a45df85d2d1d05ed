import test from 'ava';
import { createForest } from '../../../services/scheduler/domain/forest.ts';

test('a part waits for the whole that it names last, and nothing is kept of the others', (t) => {
  const numbers = new Map<string, number>();
  const forest = createForest((uid) => numbers.get(uid));
  for (let at = 0; at < 100; at += 1) forest.setParent(1, `whole-${at}`);
  t.is(forest.awaited(), 1);
  numbers.set('whole-99', 2);
  t.deepEqual(forest.adopt('whole-99', 2), [1]);
  t.is(forest.parentOf(1), 2);
  t.is(forest.awaited(), 0);
  numbers.delete('whole-99');
  forest.orphan('whole-99', 2);
  t.is(forest.awaited(), 1);
  forest.setParent(1, undefined);
  t.is(forest.awaited(), 0);
});
