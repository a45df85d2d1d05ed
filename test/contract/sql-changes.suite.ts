import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import type { ChangeBatch, ChangeEvent } from '../../services/store/sql/change-feed.ts';
import type { SqlStore } from '../../services/store/sql/open.ts';
import { eventually } from '../support/eventually.ts';
import { type SqlSubject, storeOf } from './sql.suite.ts';
import { actor, addBooks, openBooks } from './sql-fixture.ts';

/** What every change feed must do. */
export const sqlChangesSuite = (subject: SqlSubject): void => {
  readTests(subject);
  followTests(subject);
  tokenTests(subject);
  compactionTests(subject);
};

/** Writes bare change rows of one kind. */
export const change = (store: SqlStore, kind: string, uids: readonly string[]): Promise<void> =>
  store.transaction(undefined, actor, async (tx) => {
    for (const uid of uids) {
      tx.change({ kind, uid });
    }
  });

/**
 * Reads on until `count` changes have come; gives all that came and the token behind them. Waits,
 * because on PostgreSQL any open transaction of the cluster, another test's too, holds changes
 * back.
 */
export const drain = async (store: SqlStore, from: string, count: number, limit = 100) => {
  const uids: string[] = [];
  let token = from;
  await eventually(
    async () => {
      for (let more = true; more; ) {
        const batch = await store.changes.read({ token, limit });
        uids.push(...batch.changes.map(({ uid }) => uid));
        ({ token, more } = batch);
      }
      return uids.length >= count;
    },
    { message: `${count} changes` },
  );
  return { uids, token };
};

/** A follower that collects in the background until it is stopped. */
export const collect = (store: SqlStore, from: string, kinds?: readonly string[]) => {
  const stop = new AbortController();
  const changes: ChangeEvent[] = [];
  const batches: ChangeBatch[] = [];
  let token = from;
  const run = async (): Promise<void> => {
    const options = { token: from, signal: stop.signal };
    const follow = store.changes.follow(kinds === undefined ? options : { ...options, kinds });
    for await (const batch of follow) {
      batches.push(batch);
      changes.push(...batch.changes);
      token = batch.token;
    }
  };
  const done = run();
  done.catch(() => undefined);
  return {
    uids: () => changes.map(({ uid }) => uid),
    changes,
    batches,
    token: () => token,
    /** Rejects with what ended the follower, if it was not the stop. */
    done,
    stop: async () => {
      stop.abort();
      await done;
    },
  };
};

const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

const readTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('a token read page by page gives every change once, in order', async (t) => {
    const store = await storeOf(subject, t);
    const head = await store.changes.head();
    const uids = numbered('u', 25);
    await change(store, 'book', uids.slice(0, 12));
    await change(store, 'book', uids.slice(12));
    const { uids: seen, token } = await drain(store, head, 25, 7);
    t.deepEqual(seen, uids);
    t.deepEqual((await drain(store, token, 0)).uids, []);
  });

  test('a change holds kind, project and whether the object is gone; the last call counts', async (t) => {
    const store = await storeOf(subject, t);
    const follower = collect(store, await store.changes.head());
    await store.transaction(undefined, actor, async (tx) => {
      tx.change({ kind: 'book', uid: 'u-1' });
      tx.change({ kind: 'book', uid: 'u-1', projectUid: 'p-1', deleted: true });
      tx.change({ kind: 'shelf', uid: 'u-1' });
    });
    const { changes } = follower;
    await eventually(() => changes.length > 0);
    await follower.stop();
    t.is(changes.length, 2);
    t.like(changes[0], { kind: 'book', uid: 'u-1', projectUid: 'p-1', deleted: true });
    t.like(changes[1], { kind: 'shelf', uid: 'u-1', deleted: false });
    t.false('projectUid' in (changes[1] ?? {}));
  });

  test('a reader of some kinds sees only those, page by page', async (t) => {
    const store = await storeOf(subject, t);
    let token = await store.changes.head();
    await change(store, 'book', numbered('b', 5));
    await change(store, 'shelf', numbered('s', 5));
    await change(store, 'book', numbered('c', 5));
    const seen: string[] = [];
    await eventually(async () => {
      const batch = await store.changes.read({ token, kinds: ['shelf'], limit: 2 });
      seen.push(...batch.changes.map(({ uid }) => uid));
      ({ token } = batch);
      return token === (await store.changes.head()) && seen.length > 0;
    });
    t.deepEqual(seen, numbered('s', 5));
    const none = await store.changes.read({ token, kinds: [], limit: 2 });
    t.deepEqual(none.changes, []);
  });

  test('a read without a token starts now', async (t) => {
    const store = await storeOf(subject, t);
    const start = await store.changes.head();
    await change(store, 'book', ['before']);
    await drain(store, start, 1);
    const { changes, token } = await store.changes.read({ limit: 10 });
    t.deepEqual(changes, []);
    await change(store, 'book', ['after']);
    t.deepEqual((await drain(store, token, 1)).uids, ['after']);
  });
};

const followTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('a follower gets what was written before and while it follows', async (t) => {
    const store = await storeOf(subject, t, { limits: { pollMs: 600_000 } });
    const token = await store.changes.head();
    await change(store, 'book', numbered('early', 1_500));
    const follower = collect(store, token);
    await eventually(() => follower.uids().length === 1_500);
    await change(store, 'book', ['late']);
    await eventually(() => follower.uids().length === 1_501, { message: 'the nudge' });
    await follower.stop();
    t.deepEqual(follower.uids(), [...numbered('early', 1_500), 'late']);
    t.deepEqual((await drain(store, follower.token(), 0)).uids, []);
  });

  test('followers of different kinds share one poller and each gets its own', async (t) => {
    const store = await storeOf(subject, t);
    const token = await store.changes.head();
    const books = collect(store, token, ['book']);
    const shelves = collect(store, token, ['shelf']);
    const all = collect(store, token);
    await Promise.all([
      ...numbered('b', 10).map((uid) => change(store, 'book', [uid])),
      ...numbered('s', 10).map((uid) => change(store, 'shelf', [uid])),
    ]);
    await eventually(() => all.uids().length === 20 && books.uids().length === 10);
    await eventually(() => shelves.uids().length === 10);
    await Promise.all([books.stop(), shelves.stop(), all.stop()]);
    t.deepEqual(books.uids().toSorted(), numbered('b', 10));
    t.deepEqual(shelves.uids().toSorted(), numbered('s', 10));
  });

  test('an idle follower gets bookmarks whose token moves with what it does not follow', async (t) => {
    const store = await storeOf(subject, t, { limits: { bookmarkMs: 20, pollMs: 20 } });
    const start = await store.changes.head();
    const follower = collect(store, start, ['shelf']);
    await change(store, 'book', numbered('b', 10));
    await eventually(
      async () => follower.token() !== start && follower.token() === (await store.changes.head()),
      { message: 'a bookmark behind the books' },
    );
    await follower.stop();
    t.deepEqual(follower.uids(), []);
  });

  test('a follower that does not read is cut off, others go on, and it can resume', async (t) => {
    const limits = { followerChangesMax: 300, bookmarkMs: 10 };
    const store = await storeOf(subject, t, { limits });
    const stop = new AbortController();
    t.teardown(() => stop.abort());
    const slow = store.changes.follow({ token: await store.changes.head(), signal: stop.signal });
    // A bookmark shows that it has caught up and follows live.
    const bookmark = await slow.next();
    const fast = collect(store, await store.changes.head());
    const uids = numbered('u', 900);
    for (let count = 0; count < uids.length; count += 100) {
      await change(store, 'book', uids.slice(count, count + 100));
      await eventually(() => fast.uids().length === count + 100, { message: 'the fast follower' });
    }
    const error = await t.throwsAsync(slow.next());
    t.true(isDomainError(error, 'resource_exhausted', 'SLOW_WATCHER'));
    await fast.stop();
    t.deepEqual((await drain(store, bookmark.value?.token ?? '', 900)).uids, uids);
  });

  test('a follower that is slow while it catches up is not cut off', async (t) => {
    const store = await storeOf(subject, t, { limits: { followerChangesMax: 50 } });
    const stop = new AbortController();
    const token = await store.changes.head();
    await change(store, 'book', ['first']);
    await drain(store, token, 1);
    const slow = store.changes.follow({ token, signal: stop.signal });
    const first = await slow.next();
    t.is(first.value?.changes.length, 1);
    const endMs = systemClock.monotonicMs() + 150;
    let written = 1;
    for (; systemClock.monotonicMs() < endMs; written += 60) {
      await change(store, 'book', numbered('u', 60));
    }
    await drain(store, token, written);
    t.true(((await slow.next()).value?.changes.length ?? 0) > 50);
    stop.abort();
    await slow.return();
  });

  test('a follower that comes back with its token misses and doubles nothing', async (t) => {
    const store = await storeOf(subject, t);
    let token = await store.changes.head();
    const seen: string[] = [];
    const written: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const follower = collect(store, token);
      const uids = numbered(`r${round}`, 40);
      const half = uids.slice(0, 20).map((uid) => change(store, 'book', [uid]));
      await eventually(() => follower.uids().length > 0);
      await follower.stop();
      await Promise.all([...half, change(store, 'book', uids.slice(20))]);
      written.push(...uids);
      seen.push(...follower.uids());
      token = follower.token();
    }
    seen.push(...(await drain(store, token, written.length - seen.length)).uids);
    t.deepEqual(seen.toSorted(), written.toSorted());
  });
};

const tokenTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('a garbled, foreign or future token is RESUME_TOKEN_EXPIRED', async (t) => {
    const store = await storeOf(subject, t);
    const other = await storeOf(subject, t);
    await addBooks(other, ['Dune']);
    const own = await store.changes.head();
    const flipped = `${own.slice(0, -3)}${own.at(-3) === 'A' ? 'B' : 'A'}${own.slice(-2)}`;
    for (const token of ['', 'x', '-', 'MS4x', flipped, `${own}AAAA`, await other.changes.head()]) {
      const read = store.changes.read({ token, limit: 1 });
      const error = await t.throwsAsync(read, undefined, token);
      t.true(isDomainError(error, 'out_of_range', 'RESUME_TOKEN_EXPIRED'), token);
      const follower = collect(store, token);
      const followError = await t.throwsAsync(follower.done);
      t.true(isDomainError(followError, 'out_of_range', 'RESUME_TOKEN_EXPIRED'), token);
    }
    t.deepEqual((await store.changes.read({ token: own, limit: 1 })).changes, []);
  });

  test('a token survives a restart of the store, and none survives a restore', async (t) => {
    const url = await subject.createUrl(t);
    const first = await openBooks(url);
    const token = await first.changes.head();
    const follower = collect(first, token);
    await change(first, 'book', ['one']);
    await eventually(() => follower.uids().length === 1);
    await follower.stop();
    if (url === 'sqlite::memory:') {
      t.is(await first.raiseIncarnation(), 2);
      const error = await t.throwsAsync(first.changes.read({ token, limit: 1 }));
      t.true(isDomainError(error, 'out_of_range', 'RESUME_TOKEN_EXPIRED'));
      await first.close();
      return;
    }
    await first.close();
    const second = await openBooks(url);
    t.teardown(() => second.close());
    t.deepEqual((await drain(second, token, 1)).uids, ['one']);
    t.is(await second.raiseIncarnation(), 2);
    const error = await t.throwsAsync(second.changes.read({ token, limit: 1 }));
    t.true(isDomainError(error, 'out_of_range', 'RESUME_TOKEN_EXPIRED'));
  });

  test('a restore ends the followers that are running', async (t) => {
    const store = await storeOf(subject, t, { limits: { pollMs: 20 } });
    const follower = collect(store, await store.changes.head());
    await change(store, 'book', ['one']);
    await eventually(() => follower.uids().length === 1);
    await store.raiseIncarnation();
    const error = await t.throwsAsync(follower.done);
    t.true(isDomainError(error, 'out_of_range', 'RESUME_TOKEN_EXPIRED'));
  });
};

const compactionTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('old changes are compacted: an older token is refused, a newer one goes on', async (t) => {
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + aheadMs) };
    const store = await storeOf(subject, t, {
      clock,
      limits: { sweepRows: 4, changeRetentionMs: 60_000 },
    });
    const oldest = await store.changes.head();
    await change(store, 'book', numbered('old', 10));
    const { token: middle } = await drain(store, oldest, 10);
    t.is((await store.sweep(AbortSignal.timeout(60_000))).changes, 0);
    aheadMs = 61_000;
    await change(store, 'book', numbered('new', 3));
    t.is((await store.sweep(AbortSignal.timeout(60_000))).changes, 10);
    const error = await t.throwsAsync(store.changes.read({ token: oldest, limit: 1 }));
    t.true(isDomainError(error, 'out_of_range', 'RESUME_TOKEN_EXPIRED'));
    t.deepEqual((await drain(store, middle, 3)).uids, numbered('new', 3));
  });

  test('a feed that was compacted empty goes on where it was', async (t) => {
    const store = await storeOf(subject, t, { limits: { changeRetentionMs: -1_000 } });
    const start = await store.changes.head();
    await change(store, 'book', numbered('old', 10));
    const { token } = await drain(store, start, 10);
    t.is((await store.sweep(AbortSignal.timeout(60_000))).changes, 10);
    t.is(await store.changes.head(), token);
    await change(store, 'book', ['new']);
    t.deepEqual((await drain(store, token, 1)).uids, ['new']);
  });
};
