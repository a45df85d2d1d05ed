import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { silentLog } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { coordinationSuite } from './coordination.suite.ts';
import {
  put,
  rejectsWith,
  type StoreUnderTest,
  soon,
  text,
  write,
} from './coordination-support.ts';
import { leadershipSuite } from './leadership.suite.ts';

const open = (file: string): Coordination =>
  openEmbeddedCoordination({ file, clock: systemClock, random: systemRandom, log: silentLog });

const start = async (): Promise<StoreUnderTest> => {
  const dir = temporaryDir({ inMemory: true });
  const file = join(dir.path, 'coordination.sqlite');
  let current = open(file);
  return {
    coordination: current,
    another: () => current,
    restart: async () => {
      await current.close();
      current = open(file);
      return current;
    },
    leaseTtlMs: 3_000,
    [Symbol.asyncDispose]: async () => {
      await current.close();
      dir[Symbol.dispose]();
    },
  };
};

coordinationSuite(test, start);
leadershipSuite(test, start);

test('a file that is open is not opened a second time', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const first = open(file);
  const error = t.throws(() => open(file), { message: /used by another process/ });
  t.like(error, { reason: 'STORE_IN_USE' });
  await first.close();
  const second = open(file);
  await second.ping(soon());
  await second.close();
});

test('a file of before, with each value twice, is opened with all that it has', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const before = open(file);
  await write(before, put('kept', 'of before'));
  await before.close();
  const old = new DatabaseSync(file);
  old.exec(`
    ALTER TABLE kv RENAME TO present;
    CREATE TABLE kv (
      key BLOB PRIMARY KEY, value BLOB NOT NULL, create_revision INTEGER NOT NULL,
      mod_revision INTEGER NOT NULL, version INTEGER NOT NULL, lease_id TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
    INSERT INTO kv SELECT key, value, create_revision, mod_revision, version, lease_id
      FROM history;
    DROP TABLE present;`);
  old.close();
  const now = open(file);
  const { keys } = await now.range({ prefix: '', limit: 10 }, soon());
  t.deepEqual(
    keys.map((at) => [at.key, text(at)]),
    [['kept', 'of before']],
  );
  await write(now, put('kept', 'of now'));
  const [kept] = (await now.range({ prefix: 'kept', limit: 1 }, soon())).keys;
  t.is(text(kept), 'of now');
  await now.close();
});

test('what waits for the commit is committed when the store closes', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const first = open(file);
  const writing = write(first, put('k', '1'));
  await first.close();
  t.true((await writing).succeeded);
  await rejectsWith(t, write(first, put('k', '2')), 'COORDINATION_UNAVAILABLE');
  const second = open(file);
  t.is(text(await second.get('k', soon())), '1');
  await second.close();
});

test('a store in memory works and is gone when it closes', async (t) => {
  const first = open(':memory:');
  await write(first, put('k', '1'));
  t.is(text(await first.get('k', soon())), '1');
  await first.close();
  const second = open(':memory:');
  t.is(await second.get('k', soon()), undefined);
  await second.close();
});
