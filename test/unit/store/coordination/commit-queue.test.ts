import type { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { invalidArgument } from '../../../../services/runtime/errors.ts';
import {
  type CommitQueue,
  type Job,
  openCommitQueue,
} from '../../../../services/store/coordination/embedded/commit-queue.ts';
import { openDatabase } from '../../../../services/store/coordination/embedded/database.ts';
import {
  openRecords,
  type Records,
} from '../../../../services/store/coordination/embedded/records.ts';
import type { Revision } from '../../../../services/store/coordination/port.ts';

type Stand = {
  readonly database: DatabaseSync;
  readonly records: Records;
  readonly queue: CommitQueue;
  readonly published: Revision[];
};

const open = (): Stand => {
  const database = openDatabase(':memory:');
  const records = openRecords(database);
  const published: Revision[] = [];
  const publish = (revision: Revision) => void published.push(revision);
  return { database, records, queue: openCommitQueue({ database, records, publish }), published };
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
