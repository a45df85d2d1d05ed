import test from 'ava';
import { systemRandom } from '../../../services/runtime/random.ts';
import { UidMap, UidNumbers } from '../../../services/scheduler/domain/uid-map.ts';
import { seededRandom } from '../../support/seeded-random.ts';

test('maps that share numbers are maps, whatever comes and goes in each', (t) => {
  const seed = Math.floor(systemRandom.fraction() * 2 ** 31);
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random.fraction() * most);
  const numbers = new UidNumbers();
  const maps = [0, 1, 2].map(() => ({
    map: new UidMap<string>(numbers),
    model: new Map<string, string>(),
  }));
  for (let step = 0; step < 20_000; step += 1) {
    const { map, model } = maps[upTo(maps.length)] ?? t.fail();
    const uid = `uid-${upTo(300)}`;
    if (random.fraction() < 0.5) {
      map.set(uid, `value ${step}`);
      model.set(uid, `value ${step}`);
    } else t.is(map.delete(uid), model.delete(uid));
    const asked = `uid-${upTo(300)}`;
    t.is(map.get(asked), model.get(asked));
    t.is(map.has(asked), model.has(asked));
    t.is(map.size, model.size);
  }
  for (const { map, model } of maps) {
    t.deepEqual([...map.keys()].sort(), [...model.keys()].sort());
    t.deepEqual([...map.values()].sort(), [...model.values()].sort());
  }
});

test('a number is given again once no map has anything of its uid', (t) => {
  const numbers = new UidNumbers();
  const [facts, records] = [new UidMap<string>(numbers), new UidMap<string>(numbers)];
  const n = facts.set('a', 'told');
  t.is(records.set('a', 'kept'), n);
  facts.delete('a');
  t.not(facts.set('b', 'told'), n);
  t.is(records.at(n), 'kept');
  records.delete('a');
  t.is(numbers.find('a'), undefined);
  t.is(facts.set('c', 'told'), n);
  t.is(numbers.uid(n), 'c');
});
