import type { TestFn } from 'ava';
import type { Compare, RangeOptions } from '../../services/store/coordination/port.ts';
import { compactionTests } from './coordination-compaction.suite.ts';
import { leaseTests } from './coordination-lease.suite.ts';
import {
  bytes,
  create,
  follow,
  keysBelow,
  put,
  rejectsWith,
  type StoreUnderTest,
  soon,
  text,
  write,
} from './coordination-support.ts';
import { watchTests } from './coordination-watch.suite.ts';

/** Starts a store that no other test uses at the same time. */
export type StartStore = () => Promise<StoreUnderTest>;

/** What every implementation of the coordination port must do. */
export const coordinationSuite = (test: TestFn, start: StartStore): void => {
  keyTests(test, start);
  transactionTests(test, start);
  refusalTests(test, start);
  watchTests(test, start);
  compactionTests(test, start);
  leaseTests(test, start);
};

const keyTests = (test: TestFn, start: StartStore): void => {
  test.serial('a key has the revisions and the version of its changes', async (t) => {
    await using store = await start();
    const { coordination } = store;
    t.is(await coordination.get('a', soon()), undefined);
    const first = await write(coordination, put('a', '1'));
    const second = await write(coordination, put('a', '2'));
    t.is(second.revision, first.revision + 1n);
    const at = await coordination.get('a', soon());
    t.is(text(at), '2');
    t.is(at?.createRevision, first.revision);
    t.is(at?.modRevision, second.revision);
    t.is(at?.version, 2n);
    t.is(at?.leaseId, '');
  });

  test.serial('a deleted key begins anew', async (t) => {
    await using store = await start();
    const { coordination } = store;
    await write(coordination, put('a', '1'));
    await write(coordination, { delete: 'a' });
    t.is(await coordination.get('a', soon()), undefined);
    const again = await write(coordination, put('a', ''));
    const at = await coordination.get('a', soon());
    t.is(at?.createRevision, again.revision);
    t.is(at?.version, 1n);
    t.deepEqual([...(at?.value ?? [1])], []);
  });

  test.serial('values are any bytes', async (t) => {
    await using store = await start();
    const value = Uint8Array.from({ length: 256 }, (_, i) => i);
    await write(store.coordination, { put: 'bin', value });
    t.deepEqual([...((await store.coordination.get('bin', soon()))?.value ?? [])], [...value]);
  });

  test.serial(
    'a range has exactly the keys below its prefix, ordered by their bytes',
    async (t) => {
      await using store = await start();
      const { coordination } = store;
      // UTF-16, the order of JavaScript, has the emoji before U+FFFD; bytes have it after.
      const below = ['p/', 'p/a', 'p/a/b', 'p/ä', 'p/\u{fffd}', 'p/\u{1f600}'];
      await write(coordination, ...['p', 'p.', 'p0', 'q', ...below].map((key) => put(key, key)));
      t.deepEqual(await keysBelow(coordination, 'p/'), below);
      t.deepEqual(await keysBelow(coordination, 'p/\u{1f600}'), ['p/\u{1f600}']);
      t.is((await keysBelow(coordination, '')).length, 10);
    },
  );

  test.serial('up to a horizon a range has all keys, and behind it the rest', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const all = ['h/a', 'h/b', 'h/c', 'h/d'];
    await write(coordination, ...all.map((key) => put(key, '')));
    const keysOf = async (options: Omit<RangeOptions, 'prefix'>) =>
      (await coordination.range({ prefix: 'h/', ...options }, soon())).keys.map(({ key }) => key);
    const before = await keysOf({ until: 'h/c' });
    t.deepEqual(before.slice(0, 2), ['h/a', 'h/b']);
    t.deepEqual([...before, ...(await keysOf({ after: before.at(-1) ?? '' }))], all);
    t.deepEqual(await keysOf({ until: 'i' }), all);
    t.deepEqual((await keysOf({ after: 'h/b', until: 'h/a' })).slice(2), []);
  });

  test.serial('pages at one revision show one state while others write', async (t) => {
    await using store = await start();
    const { coordination } = store;
    await write(coordination, ...['1', '2', '3', '4', '5'].map((name) => put(`k/${name}`, 'old')));
    const first = await coordination.range({ prefix: 'k/', limit: 2 }, soon());
    t.true(first.more);
    await write(coordination, put('k/0', 'new'), put('k/3', 'new'), { delete: 'k/4' });
    const page = { prefix: 'k/', revision: first.revision, limit: 2 };
    const second = await coordination.range({ ...page, after: 'k/2' }, soon());
    t.is(second.revision, first.revision);
    t.deepEqual(
      second.keys.map((at) => `${at.key}=${text(at)}`),
      ['k/3=old', 'k/4=old'],
    );
    t.true(second.more);
    const third = await coordination.range({ ...page, after: 'k/4' }, soon());
    t.deepEqual(
      third.keys.map(({ key }) => key),
      ['k/5'],
    );
    t.false(third.more);
    t.deepEqual(await keysBelow(coordination, 'k/'), ['k/0', 'k/1', 'k/2', 'k/3', 'k/5']);
  });
};

const HOLDING: readonly (readonly [string, Compare])[] = [
  ['createRevision', { key: 'absent', target: 'createRevision', equals: 0n }],
  ['modRevision', { key: 'absent', target: 'modRevision', equals: 0n }],
  ['version', { key: 'absent', target: 'version', equals: 0n }],
];

const transactionTests = (test: TestFn, start: StartStore): void => {
  for (const [target, compare] of HOLDING)
    test.serial(`an absent key has ${target} 0`, async (t) => {
      await using store = await start();
      const writes = [put('done', '')];
      const result = await store.coordination.transact({ compare: [compare], writes }, soon());
      t.true(result.succeeded);
    });

  test.serial('an absent key is equal to no value', async (t) => {
    await using store = await start();
    const compare = { key: 'absent', target: 'value', equals: bytes('') } as const;
    const transaction = { compare: [compare], writes: [put('done', '')] };
    t.false((await store.coordination.transact(transaction, soon())).succeeded);
  });

  test.serial('each target is compared with what the key has', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const { revision: created } = await write(coordination, put('k', 'one'));
    const { revision: changed } = await write(coordination, put('k', 'two'));
    const holds = async (compare: Compare): Promise<boolean> =>
      (await coordination.transact({ compare: [compare], writes: [] }, soon())).succeeded;
    t.true(await holds({ key: 'k', target: 'createRevision', equals: created }));
    t.false(await holds({ key: 'k', target: 'createRevision', equals: changed }));
    t.true(await holds({ key: 'k', target: 'modRevision', equals: changed }));
    t.false(await holds({ key: 'k', target: 'modRevision', equals: created }));
    t.true(await holds({ key: 'k', target: 'version', equals: 2n }));
    t.false(await holds({ key: 'k', target: 'version', equals: 1n }));
    t.true(await holds({ key: 'k', target: 'value', equals: bytes('two') }));
    t.false(await holds({ key: 'k', target: 'value', equals: bytes('one') }));
  });

  test.serial('one comparison that fails prevents all writes', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const before = await write(coordination, put('k', '1'));
    const result = await coordination.transact(
      {
        compare: [
          { key: 'k', target: 'version', equals: 1n },
          { key: 'k', target: 'version', equals: 2n },
        ],
        writes: [put('other', 'x'), { delete: 'k' }],
      },
      soon(),
    );
    t.deepEqual(result, { succeeded: false, revision: before.revision });
    t.deepEqual(await keysBelow(coordination, ''), ['k']);
  });

  test.serial('all writes of a transaction have its revision', async (t) => {
    await using store = await start();
    const { coordination } = store;
    await write(coordination, put('old/1', ''), put('old/2', ''), put('older', ''), put('x', ''));
    const { revision } = await write(
      coordination,
      put('new', ''),
      { deletePrefix: 'old/' },
      { delete: 'x' },
      { delete: 'old/2' },
    );
    t.deepEqual(await keysBelow(coordination, ''), ['new', 'older']);
    t.is((await coordination.get('new', soon()))?.modRevision, revision);
    t.is((await coordination.range({ prefix: '' }, soon())).revision, revision);
  });

  test.serial('deleting what is absent changes nothing', async (t) => {
    await using store = await start();
    const before = await write(store.coordination, put('k', ''));
    const result = await write(store.coordination, { delete: 'no' }, { deletePrefix: 'no/' });
    t.deepEqual(result, { succeeded: true, revision: before.revision });
  });

  test.serial('of 64 that create one key at once exactly one succeeds', async (t) => {
    await using store = await start();
    const clients = [store.coordination, store.another()];
    const tries = Array.from({ length: 64 }, (_, i) =>
      create(clients[i % 2] ?? store.coordination, 'only', String(i)),
    );
    const results = await Promise.all(tries);
    const winners = results.flatMap(({ succeeded }, i) => (succeeded ? [String(i)] : []));
    t.is(winners.length, 1);
    t.is(text(await store.coordination.get('only', soon())), winners[0]);
  });

  test.serial('transactions that arrive together have a revision each', async (t) => {
    await using store = await start();
    const puts = Array.from({ length: 50 }, (_, i) => write(store.coordination, put(`k${i}`, '')));
    const revisions = (await Promise.all(puts)).map(({ revision }) => revision);
    t.is(new Set(revisions).size, 50);
  });
};

const refusalTests = (test: TestFn, start: StartStore): void => {
  test.serial('what etcd would refuse is refused with its reason', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const many = Array.from({ length: 129 }, (_, i) => put(`k${i}`, ''));
    await rejectsWith(t, write(coordination, ...many), 'TOO_MANY_OPERATIONS');
    await rejectsWith(t, write(coordination, put('k', '1'), put('k', '2')), 'DUPLICATE_KEY');
    await rejectsWith(t, write(coordination, put('k', '1'), { delete: 'k' }), 'DUPLICATE_KEY');
    const prefix = [put('p/k', '1'), { deletePrefix: 'p/' }];
    await rejectsWith(t, write(coordination, ...prefix), 'DUPLICATE_KEY');
    await rejectsWith(t, write(coordination, put('', '1')), 'INVALID_KEY');
    await rejectsWith(t, write(coordination, put('a\0b', '1')), 'INVALID_KEY');
    const large = put('k', 'x'.repeat(1_100_000));
    await rejectsWith(t, write(coordination, large), 'TRANSACTION_TOO_LARGE');
    await rejectsWith(t, coordination.range({ prefix: '', limit: 0 }, soon()), 'INVALID_LIMIT');
    t.deepEqual(await keysBelow(coordination, ''), []);
  });

  test.serial('the largest transaction that is allowed is applied', async (t) => {
    await using store = await start();
    const value = 'x'.repeat(8000);
    const most = Array.from({ length: 128 }, (_, i) => put(`k${i}`, value));
    t.true((await write(store.coordination, ...most)).succeeded);
    t.is((await keysBelow(store.coordination, 'k')).length, 128);
  });

  test.serial('a call whose signal has aborted does nothing', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const gone = AbortSignal.abort(new Error('gone'));
    const reason = 'COORDINATION_UNAVAILABLE';
    const transaction = { compare: [], writes: [put('k', '')] };
    await rejectsWith(t, coordination.transact(transaction, gone), reason);
    await rejectsWith(t, coordination.get('k', gone), reason);
    await rejectsWith(t, coordination.grantLease(1000, gone), reason);
    t.is(await coordination.get('k', soon()), undefined);
  });

  test.serial('a closed store refuses calls and ends watches', async (t) => {
    await using store = await start();
    const client = store.another();
    const follower = follow(client, '', 1n);
    await client.ping(soon());
    await client.close();
    await client.close();
    await rejectsWith(t, client.ping(soon()), 'COORDINATION_UNAVAILABLE');
    await rejectsWith(t, client.get('k', soon()), 'COORDINATION_UNAVAILABLE');
    t.like(await follower.ended, { reason: 'COORDINATION_UNAVAILABLE' });
  });

  test.serial('a restarted store has everything and goes on counting', async (t) => {
    await using store = await start();
    const before = await write(store.coordination, put('k', '1'));
    await write(store.coordination, put('k', '2'), put('l', ''));
    const coordination = await store.restart();
    t.is(text(await coordination.get('k', soon())), '2');
    const old = await coordination.range({ prefix: '', revision: before.revision }, soon());
    t.deepEqual(
      old.keys.map((at) => `${at.key}=${text(at)}`),
      ['k=1'],
    );
    t.is((await write(coordination, put('m', ''))).revision, before.revision + 2n);
  });
};
