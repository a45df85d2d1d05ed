import type { TestFn } from 'ava';
import { eventually } from '../support/eventually.ts';
import type { StartStore } from './coordination.suite.ts';
import { follow, put, write } from './coordination-support.ts';

const MANY = 1500;

export const watchTests = (test: TestFn, start: StartStore): void => {
  test.serial('a watch gives the past from its revision, then the present, in order', async (t) => {
    await using store = await start();
    const { coordination } = store;
    await write(coordination, put('w/a', '0'));
    const { revision } = await write(coordination, put('w/a', '1'), put('w/b', '1'));
    await write(coordination, put('other', ''));
    await write(coordination, { deletePrefix: 'w/' });
    const follower = follow(coordination, 'w/', revision);
    await eventually(() => follower.batches.length === 2);
    await write(coordination, put('w/c', '2'));
    await write(coordination, put('v', ''), put('x', ''));
    const last = await write(coordination, put('w/c', '3'), put('x', ''));
    await eventually(() => follower.batches.length === 4);
    t.is(await follower.stop(), undefined);
    t.deepEqual(follower.seen(), [
      'put w/a=1',
      'put w/b=1',
      'delete w/a',
      'delete w/b',
      'put w/c=2',
      'put w/c=3',
    ]);
    const revisions = follower.batches.map((batch) => batch.revision);
    t.deepEqual(revisions, [revision, revision + 2n, revision + 3n, last.revision]);
    for (const { revision: of, events } of follower.batches)
      for (const event of events)
        t.is(event.kind === 'put' ? event.at.modRevision : event.modRevision, of);
  });

  test.serial('a watch of the future begins with its revision', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const { revision } = await write(coordination, put('w', '0'));
    const follower = follow(coordination, 'w', revision + 2n);
    await write(coordination, put('w', '1'));
    await write(coordination, put('w', '2'));
    await eventually(() => follower.batches.length > 0);
    t.is(await follower.stop(), undefined);
    t.deepEqual(follower.seen(), ['put w=2']);
  });

  test.serial('a watcher that is slow or late misses nothing and gets nothing twice', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const { revision } = await write(coordination, put('first', ''));
    const stopping = new AbortController();
    const watch = coordination.watch({ prefix: 'n/', from: revision, signal: stopping.signal });
    const slow = watch[Symbol.asyncIterator]();
    const expected = Array.from({ length: MANY }, (_, i) => `n/${i % 7}=${i}`);
    // It is connected, but does not take anything while all is written.
    const firstBatch = slow.next();
    for (let i = 0; i < MANY; i += 100)
      await Promise.all(
        expected.slice(i, i + 100).map((spelt) => {
          const [key = '', value = ''] = spelt.split('=');
          return write(coordination, put(key, value));
        }),
      );
    const late = follow(coordination, 'n/', revision);
    const seen: string[] = [];
    for (let result = await firstBatch; !result.done; result = await slow.next()) {
      for (const event of result.value.events)
        if (event.kind === 'put') seen.push(`${event.at.key}=${Buffer.from(event.at.value)}`);
      if (seen.length >= MANY) break;
    }
    stopping.abort();
    // Concurrent writes may be applied in any order, but every watcher sees the same one.
    t.deepEqual(seen.toSorted(), expected.toSorted());
    await eventually(() => late.seen().length >= MANY);
    t.deepEqual(
      late.seen().map((spelt) => spelt.slice('put '.length)),
      seen,
    );
    await late.stop();
  });

  test.serial('a watch from before a restart goes on after it', async (t) => {
    await using store = await start();
    const { revision } = await write(store.coordination, put('w/1', ''));
    const coordination = await store.restart();
    await write(coordination, put('w/2', ''));
    const follower = follow(coordination, 'w/', revision);
    await eventually(() => follower.seen().length === 2);
    t.deepEqual(follower.seen(), ['put w/1=', 'put w/2=']);
    t.is(await follower.stop(), undefined);
  });

  test.serial('a hundred watches end and leave the store usable', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const { revision } = await write(coordination, put('w', '0'));
    const followers = Array.from({ length: 100 }, () => follow(coordination, 'w', revision));
    await eventually(() => followers.every(({ batches }) => batches.length === 1));
    const ends = await Promise.all(followers.map((follower) => follower.stop()));
    t.true(ends.every((error) => error === undefined));
    t.true((await write(coordination, put('w', '1'))).succeeded);
  });
};
