import test from 'ava';
import fc from 'fast-check';
import { createDueQueue } from '../../../services/scheduler/domain/due-queue.ts';

test('everything that is due is taken once, soonest first', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.nat(50), (times, nowMs) => {
      const queue = createDueQueue();
      for (const [at, atMs] of times.entries()) queue.add(`${at}`, atMs);
      const taken = queue.take(nowMs).map(({ uid }) => times[Number(uid)] ?? -1);
      const due = times.filter((atMs) => atMs <= nowMs).toSorted((a, b) => a - b);
      t.deepEqual(taken, due);
      const later = times.filter((atMs) => atMs > nowMs);
      t.is(queue.nextMs(), later.length === 0 ? undefined : Math.min(...later));
      t.deepEqual(queue.take(nowMs), []);
    }),
  );
});
