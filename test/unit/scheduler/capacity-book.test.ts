import test from 'ava';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { CapacityRecord } from '../../../services/scheduler/domain/capacity.ts';
import { CapacityBook } from '../../../services/scheduler/domain/capacity-book.ts';
import { UidNumbers } from '../../../services/scheduler/domain/uid-map.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { CPU, offersFrom } from './builders.ts';

const inOrder = (records: Iterable<CapacityRecord>): readonly CapacityRecord[] =>
  [...records].sort((a, b) => (a.providerUid < b.providerUid ? -1 : 1));

const OFFERS = [offersFrom({ [CPU]: 8 }), offersFrom({ [CPU]: 16 })] as const;

test('a record comes out as it was put in, whatever others say', (t) => {
  const seed = Math.floor(systemRandom.fraction() * 2 ** 31);
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random.fraction() * most);
  const book = new CapacityBook(new UidNumbers());
  const model = new Map<string, CapacityRecord>();
  for (let step = 0; step < 5_000; step += 1) {
    const providerUid = `uid-${upTo(200)}`;
    if (random.fraction() < 0.3) t.is(book.delete(providerUid), model.delete(providerUid));
    else {
      const record: CapacityRecord = {
        providerUid,
        generation: upTo(30),
        offers: OFFERS[upTo(2)] ?? OFFERS[0],
        closed: random.fraction() < 0.5,
        version: upTo(3),
        updateMs: 1_790_000_000_000 + upTo(2 ** 31),
        mark: upTo(2 ** 31),
        ...(random.fraction() < 0.1 && { reshape: { requestId: `r${step}`, claims: upTo(9) } }),
        ...(random.fraction() < 0.1 && { earlier: [upTo(2 ** 31)] }),
      };
      book.put(record);
      model.set(providerUid, record);
    }
    const asked = `uid-${upTo(200)}`;
    t.deepEqual(book.get(asked), model.get(asked));
    t.is(book.has(asked), model.has(asked));
    t.is(book.terms(asked)?.closed, model.get(asked)?.closed);
  }
  t.is(book.size, model.size);
  t.deepEqual([...book.keys()].sort(), [...model.keys()].sort());
  t.deepEqual(inOrder(book.values()), inOrder(model.values()));
});

test('providers with one and the same capacity have it once', (t) => {
  const book = new CapacityBook(new UidNumbers());
  const like = { generation: 1, offers: OFFERS[0], closed: false, version: 1, mark: 1 };
  book.put({ ...like, providerUid: 'a', updateMs: 1 });
  book.put({ ...like, providerUid: 'b', updateMs: 2 });
  t.is(book.terms('a'), book.terms('b'));
});
