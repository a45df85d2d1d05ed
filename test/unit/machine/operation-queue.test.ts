import test from 'ava';
import { createOperationQueue } from '../../../services/machine/work/operation-queue.ts';
import { eventually } from '../../support/eventually.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { silentLog } from '../../support/silent-log.ts';

test('who has yet to get his place goes before the others, of whom a few go on beside him', async (t) => {
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const queue = createOperationQueue({
    run: (uid) => {
      begun.push(uid);
      const end = Promise.withResolvers<void>();
      ends.set(uid, end);
      return end.promise;
    },
    clock: manualClock(),
    log: silentLog,
    concurrencyMax: 16,
  });
  const stop = new AbortController();
  for (let count = 0; count < 10; count += 1) queue.wake(`old-${count}`);
  queue.wakeFirst('new-1');
  queue.wakeFirst('new-2');
  const working = queue.work(stop.signal);
  await eventually(() => begun.length === 6);
  t.deepEqual(begun.slice(0, 2), ['new-1', 'new-2']);
  t.true(queue.hasFirst('new-1'));
  ends.get('new-2')?.resolve();
  await eventually(() => !queue.hasFirst('new-1'));
  t.is(begun.length, 6);
  t.true(queue.hasFirst('old-0'));
  ends.get('new-1')?.resolve();
  await eventually(() => begun.length === 12);
  stop.abort();
  for (const end of ends.values()) end.resolve();
  await working;
});
