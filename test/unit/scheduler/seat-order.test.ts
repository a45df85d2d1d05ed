import test from 'ava';
import {
  partitionToHandOver,
  SEATS,
  seatRank,
} from '../../../services/scheduler/work/seat-order.ts';

const replicas = ['a:1', 'b:1', 'c:1', 'd:1'];
const partitions = Array.from({ length: 400 }, (_, at) => `site${at}`);
const firstOf = (alive: readonly string[], partition: string): string | undefined =>
  alive.find((one) => seatRank(alive, one, partition) === 0);

test('every partition has one first replica and one standby', (t) => {
  for (const partition of partitions) {
    const ranks = replicas.map((one) => seatRank(replicas, one, partition));
    t.deepEqual(ranks.toSorted(), [0, 1, 2, 3]);
    t.is(ranks.filter((rank) => rank < SEATS).length, 2);
  }
});

test('partitions are spread, and only those of a replica that goes move', (t) => {
  for (const one of replicas) {
    const own = partitions.filter((partition) => firstOf(replicas, partition) === one);
    t.true(own.length > 60 && own.length < 140, `${one} comes first for ${own.length}`);
  }
  const left = replicas.slice(1);
  for (const partition of partitions) {
    const before = firstOf(replicas, partition);
    if (before !== 'a:1') t.is(firstOf(left, partition), before);
  }
});

test('a replica counts itself though nobody named it yet', (t) => {
  t.is(seatRank([], 'a:1', 'lab'), 0);
  const ranks = ['a:1', 'b:1'].map((one) => seatRank(['b:1'], one, 'lab'));
  t.deepEqual(ranks.toSorted(), [0, 1]);
});

test('who leads more than his share hands partitions over until all have theirs', (t) => {
  const leads = new Map(partitions.map((partition) => [partition, 'a:1']));
  const now = () => [...leads].map(([partition, address]) => ({ partition, address }));
  for (let round = 0; round < partitions.length; round += 1) {
    for (const own of replicas) {
      const partition = partitionToHandOver(now(), replicas, own);
      if (partition !== undefined) leads.set(partition, firstOf(replicas, partition) ?? own);
    }
  }
  for (const own of replicas) {
    t.is(partitionToHandOver(now(), replicas, own), undefined, `${own} is at rest`);
    const count = now().filter(({ address }) => address === own).length;
    t.true(count > 50, `${own} leads ${count}`);
  }
});

test('one partition stays where it is', (t) => {
  for (const address of replicas) {
    t.is(partitionToHandOver([{ partition: 'lab', address }], replicas, address), undefined);
  }
});
