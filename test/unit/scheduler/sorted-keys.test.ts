import test from 'ava';
import { systemRandom } from '../../../services/runtime/random.ts';
import { createSortedKeys } from '../../../services/scheduler/domain/sorted-keys.ts';
import { seededRandom } from '../../support/seeded-random.ts';

test('keys are read in their order, whatever came and went between readings', (t) => {
  const seed = Math.floor(systemRandom.fraction() * 2 ** 31);
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const there = new Set<string>();
  const keys = createSortedKeys(() => there.keys());
  for (let step = 0; step < 4_000; step += 1) {
    const key = String(Math.floor(random.fraction() * 300)).padStart(3, '0');
    if (there.has(key)) {
      there.delete(key);
      keys.remove(key);
    } else {
      there.add(key);
      keys.add(key);
    }
    if (random.fraction() > 0.02) continue;
    const from = random.fraction() < 0.5 ? undefined : '120';
    const wanted = [...there].sort().filter((one) => from === undefined || one >= from);
    t.deepEqual([...keys.from(from)], wanted);
  }
});

test('many changes without a reading are no debt', (t) => {
  const there = new Set(['b']);
  const keys = createSortedKeys(() => there.keys());
  t.deepEqual([...keys.from()], ['b']);
  for (let at = 0; at < 5_000; at += 1) {
    there.add(`c${at}`);
    keys.add(`c${at}`);
  }
  t.is([...keys.from()].length, 5_001);
  t.is([...keys.from('c1')][0], 'c1');
});
