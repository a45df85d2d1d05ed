import type { TestFn } from 'ava';
import { DomainError } from '../../services/runtime/errors.ts';
import { eventually } from '../support/eventually.ts';
import type { StartStore } from './coordination.suite.ts';
import { follow, keysBelow, put, rejectsWith, soon, text, write } from './coordination-support.ts';

export const compactionTests = (test: TestFn, start: StartStore): void => {
  test.serial('compaction forgets what was before it and nothing else', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const first = await write(coordination, put('k', '1'), put('kept', 'early'));
    await write(coordination, put('k', '2'), put('gone', ''));
    const { revision } = await write(coordination, { delete: 'gone' }, put('l', ''));
    await write(coordination, put('k', '3'));
    await coordination.compact(revision, soon());
    await coordination.compact(revision, soon());
    await coordination.compact(first.revision, soon());
    const at = await coordination.range({ prefix: '', revision }, soon());
    t.deepEqual(
      at.keys.map((found) => `${found.key}=${text(found)}`),
      ['k=2', 'kept=early', 'l='],
    );
    t.deepEqual(await keysBelow(coordination, ''), ['k', 'kept', 'l']);
    const before = coordination.range({ prefix: '', revision: first.revision }, soon());
    await rejectsWith(t, before, 'COMPACTED');
    // The deletes of the revision itself are still told.
    const follower = follow(coordination, '', revision);
    await eventually(() => follower.batches.length === 2);
    t.deepEqual(follower.seen(), ['delete gone', 'put l=', 'put k=3']);
    t.is(await follower.stop(), undefined);
  });

  test.serial('a watch from before the compaction is refused', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const { revision } = await write(coordination, put('k', '1'));
    const newest = await write(coordination, put('k', '2'));
    await coordination.compact(newest.revision, soon());
    for (const from of [0n, 1n, revision]) {
      const ended = await follow(coordination, 'k', from).ended;
      t.true(ended instanceof DomainError && ended.reason === 'COMPACTED', `${from}: ${ended}`);
    }
  });

  test.serial('a compaction under a running watch does not disturb it', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const { revision } = await write(coordination, put('k', '0'));
    const follower = follow(coordination, 'k', revision);
    await eventually(() => follower.batches.length === 1);
    for (let i = 1; i <= 20; i += 1) {
      const result = await write(coordination, put('k', String(i)));
      if (i % 5 === 0) await coordination.compact(result.revision, soon());
    }
    await eventually(() => follower.batches.length === 21);
    t.deepEqual(
      follower.seen(),
      Array.from({ length: 21 }, (_, i) => `put k=${i}`),
    );
    t.is(await follower.stop(), undefined);
  });

  test.serial('the future is neither read nor compacted', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const { revision } = await write(coordination, put('k', '0'));
    const ahead = revision + 100n;
    const read = coordination.range({ prefix: '', revision: ahead }, soon());
    await rejectsWith(t, read, 'FUTURE_REVISION');
    await rejectsWith(t, coordination.compact(ahead, soon()), 'FUTURE_REVISION');
  });

  test.serial('a store compacted in many steps keeps each newest value', async (t) => {
    await using store = await start();
    const { coordination } = store;
    let revision = 0n;
    for (let i = 0; i < 20; i += 1) {
      const puts = Array.from({ length: 60 }, (_, j) => write(coordination, put(`k${j}`, `${i}`)));
      for (const result of await Promise.all(puts)) {
        if (result.revision > revision) revision = result.revision;
      }
      if (i % 7 === 0) await coordination.compact(revision, soon());
    }
    await coordination.compact(revision, soon());
    const { keys } = await coordination.range({ prefix: 'k', revision }, soon());
    t.is(keys.length, 60);
    t.true(keys.every((at) => text(at) === '19'));
    t.is(keys[0]?.version, 20n);
  });
};
