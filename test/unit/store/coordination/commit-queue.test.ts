import type { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { invalidArgument } from '../../../../services/runtime/errors.ts';
import {
  type CommitQueue,
  openCommitQueue,
} from '../../../../services/store/coordination/embedded/commit-queue.ts';
import { openDatabase } from '../../../../services/store/coordination/embedded/database.ts';
import type { Job } from '../../../../services/store/coordination/embedded/queued-job.ts';
import {
  openRecords,
  type Records,
} from '../../../../services/store/coordination/embedded/records.ts';
import type { Revision } from '../../../../services/store/coordination/port.ts';
import { eventually } from '../../../support/eventually.ts';
import { type HeldSync, heldSync } from '../../../support/held-sync.ts';

type Stand = {
  readonly database: DatabaseSync;
  readonly records: Records;
  readonly queue: CommitQueue;
  readonly published: Revision[];
  /** Of syncs. */
  readonly failures: unknown[];
};

const open = (disk?: HeldSync): Stand => {
  const database = openDatabase(':memory:');
  const records = openRecords(database);
  const published: Revision[] = [];
  const failures: unknown[] = [];
  const queue = openCommitQueue({
    database,
    records,
    sync: disk?.sync,
    publish: (revision) => void published.push(revision),
    onSyncFailure: (error) => void failures.push(error),
  });
  return { database, records, queue, published, failures };
};

const putting = (key: string, bytes = 1): Job<Revision> => ({
  run: (next) => {
    const value = new Uint8Array(bytes);
    const at = { key, value, createRevision: next, modRevision: next, version: 1n, leaseId: '' };
    return { value: next, events: [{ kind: 'put', at }] };
  },
});

test('a job that refuses does not take the others of its group with it', async (t) => {
  const { queue, records } = open();
  const refusing: Job<Revision> = {
    run: () => {
      throw invalidArgument('NO', 'no');
    },
  };
  const results = await Promise.allSettled(
    [putting('a'), refusing, putting('b')].map((job) => queue.add(job)),
  );
  t.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.is(records.find('b')?.modRevision, 3n);
});

test('a full disk refuses the group, changes nothing, and is survived', async (t) => {
  const { database, records, queue, published } = open();
  t.is(await queue.add(putting('before')), 2n);
  database.exec('PRAGMA max_page_count = 40');
  const results = await Promise.allSettled([
    queue.add(putting('small')),
    queue.add(putting('large', 1_000_000)),
  ]);
  for (const result of results)
    t.like(result, { status: 'rejected', reason: { reason: 'COORDINATION_UNAVAILABLE' } });
  t.is(records.find('small'), undefined);
  database.exec('PRAGMA max_page_count = 1000000');
  t.is(await queue.add(putting('after')), 3n);
  t.deepEqual(published, [2n, 3n]);
});

test('a job whose caller gave up before its turn is not run', async (t) => {
  const { queue, records } = open();
  const caller = new AbortController();
  const waiting = queue.add({ ...putting('a'), signal: caller.signal });
  caller.abort();
  await t.throwsAsync(waiting, { message: /Given up/ });
  t.is(records.find('a'), undefined);
});

test('more jobs than may wait are refused instead of piling up', async (t) => {
  const { queue } = open();
  const jobs = Array.from({ length: 20_100 }, () =>
    queue.add({ run: () => ({ value: 1, events: [] }) }),
  );
  const results = await Promise.allSettled(jobs);
  const refused = results.filter(({ status }) => status === 'rejected');
  t.is(refused.length, 100);
});

test('nobody is told of a commit before it is durable', async (t) => {
  const disk = heldSync();
  const { queue, published } = open(disk);
  let answered = false;
  const writing = queue.add(putting('a')).then((revision) => {
    answered = true;
    return revision;
  });
  await eventually(() => disk.waiting() === 1);
  await new Promise(setImmediate);
  t.false(answered);
  t.is(queue.revision(), 1n);
  t.not(queue.settling(), undefined);
  t.deepEqual(published, []);
  disk.release();
  t.is(await writing, 2n);
  t.is(queue.revision(), 2n);
  t.is(queue.settling(), undefined);
  t.deepEqual(published, [2n]);
});

test('jobs that come while a group becomes durable are one group after it', async (t) => {
  const disk = heldSync();
  const { queue, records, published } = open(disk);
  const first = queue.add(putting('a'));
  await eventually(() => disk.waiting() === 1);
  const others = [queue.add(putting('b')), queue.add(putting('c'))];
  await new Promise(setImmediate);
  t.is(records.find('b'), undefined);
  disk.release();
  t.is(await first, 2n);
  await eventually(() => disk.waiting() === 1);
  t.deepEqual(published, [2n]);
  disk.release();
  t.deepEqual(await Promise.all(others), [3n, 4n]);
});

test('after a failed sync nothing is published, and nothing is taken any more', async (t) => {
  const disk = heldSync();
  const { queue, published, failures } = open(disk);
  const synced = queue.add(putting('a'));
  const repeatable = queue.add({ ...putting('b'), isRepeatable: true });
  await eventually(() => disk.waiting() === 1);
  const behind = queue.add(putting('c'));
  const lost = new Error('EIO');
  disk.fail(lost);
  await t.throwsAsync(synced, { message: /may have been applied or not/ });
  const unavailable = { message: /did not answer|could not be synced/ };
  await t.throwsAsync(repeatable, unavailable);
  await t.throwsAsync(behind, unavailable);
  await t.throwsAsync(queue.add(putting('d')), unavailable);
  t.throws(queue.assertOpen, unavailable);
  t.deepEqual(published, []);
  t.deepEqual(failures, [lost]);
  await queue.close();
});

test('who gives up while the disk hangs is answered, and what was begun is made', async (t) => {
  const disk = heldSync();
  const { queue, records, published } = open(disk);
  const caller = new AbortController();
  const begun = queue.add({ ...putting('a'), signal: caller.signal });
  await eventually(() => disk.waiting() === 1);
  const behind = queue.add({ ...putting('b'), signal: caller.signal });
  caller.abort();
  await t.throwsAsync(begun, { message: /may have been applied or not/ });
  await t.throwsAsync(behind, { message: /Given up before it was started/ });
  disk.release();
  await eventually(() => published.length === 1);
  const after = queue.add(putting('c'));
  await eventually(() => disk.waiting() === 1);
  disk.release();
  t.is(await after, 3n);
  t.is(records.find('b'), undefined);
});

test('closing waits for what is not durable yet, and for what waits behind it', async (t) => {
  const disk = heldSync();
  const { queue } = open(disk);
  const first = queue.add(putting('a'));
  await eventually(() => disk.waiting() === 1);
  const second = queue.add(putting('b'));
  const closing = queue.close();
  disk.release();
  await eventually(() => disk.waiting() === 1);
  disk.release();
  await closing;
  t.deepEqual(await Promise.all([first, second]), [2n, 3n]);
});
