import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { openCoordinationThread } from '../../services/store/coordination/embedded/open-thread.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { eventually } from '../support/eventually.ts';
import { silentLog } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { coordinationSuite } from './coordination.suite.ts';
import { committedUntilKilled } from './coordination-crash.ts';
import {
  follow,
  keysBelow,
  put,
  rejectsWith,
  type StoreUnderTest,
  soon,
  text,
  write,
} from './coordination-support.ts';
import { leadershipSuite } from './leadership.suite.ts';

const deps = { clock: systemClock, random: systemRandom, log: silentLog };

const open = (file: string, program?: URL): Promise<Coordination> =>
  openCoordinationThread({ file, ...deps, ...(program === undefined ? {} : { program }) });

const start = async (): Promise<StoreUnderTest> => {
  const dir = temporaryDir({ inMemory: true });
  const file = join(dir.path, 'coordination.sqlite');
  let current = await open(file);
  return {
    coordination: current,
    another: () => current,
    restart: async () => {
      await current.close();
      current = await open(file);
      return current;
    },
    // Whoever renews it waits for two threads.
    leaseTtlMs: 4_000,
    [Symbol.asyncDispose]: async () => {
      await current.close();
      dir[Symbol.dispose]();
    },
  };
};

coordinationSuite(test, start);
leadershipSuite(test, start);

test('a file that a thread has open is opened by no other', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const first = await open(file);
  const reason = 'STORE_IN_USE';
  await rejectsWith(t, open(file), reason);
  t.like(
    t.throws(() => openEmbeddedCoordination({ file, ...deps })),
    { reason },
  );
  await first.close();
  const second = await open(file);
  await second.ping(soon());
  await second.close();
});

test('what was asked before it closes is done, and nothing afterwards', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const first = await open(file);
  const follower = follow(first, '', 1n);
  const writing = write(first, put('k', '1'));
  await Promise.all([first.close(), first.close()]);
  t.true((await writing).succeeded);
  const reason = 'COORDINATION_UNAVAILABLE';
  t.like(await follower.ended, { reason });
  await rejectsWith(t, write(first, put('k', '2')), reason);
  const second = await open(file);
  t.is(text(await second.get('k', soon())), '1');
  await second.close();
});

const LARGE = 'x'.repeat(5_000);

test('a watch that nobody reads for a while brings all that was changed meanwhile', async (t) => {
  using dir = temporaryDir();
  const store = await open(join(dir.path, 'c.sqlite'));
  const stopping = new AbortController();
  const watch = store.watch({ prefix: 'n/', from: 1n, signal: stopping.signal });
  const batches = watch[Symbol.asyncIterator]();
  await write(store, put('n/first', ''));
  const numbers = Array.from({ length: 200 }, (_, i) => `n/${String(i).padStart(3, '0')}`);
  const first = await batches.next();
  t.is(first.value?.events.length, 1);
  for (const key of numbers) await write(store, put(key, LARGE), put(`other${key}`, ''));
  const seen: string[] = [];
  while (seen.length < numbers.length) {
    const { value } = await batches.next();
    for (const event of value?.events ?? []) {
      if (event.kind !== 'put') continue;
      seen.push(event.at.key);
      t.is(text(event.at), LARGE);
    }
  }
  t.deepEqual(seen, numbers);
  stopping.abort();
  t.true((await batches.next()).done);
  await store.close();
});

const FAILING = new URL('../support/failing-store-thread.ts', import.meta.url);

/** The store with a key, after `flag` came and went amid a second write of it. */
const broken = async (t: ExecutionContext, file: string, flag: 'fails' | 'dies') => {
  const store = await open(file, FAILING);
  const lease = await store.grantLease(60_000, soon());
  await write(store, put('k', '1'), put('held', '', lease.id));
  const follower = follow(store, '', 1n);
  await eventually(() => follower.seen().length === 2);
  writeFileSync(`${file}.${flag}`, '');
  const reason = 'COORDINATION_UNAVAILABLE';
  const lost = rejectsWith(t, write(store, put('k', '2')), 'OUTCOME_UNKNOWN');
  await lost;
  t.like(await follower.ended, { reason });
  t.deepEqual(follower.seen(), ['put k=1', 'put held=']);
  rmSync(`${file}.${flag}`);
  return { store, lease };
};

const answers = (store: Coordination): Promise<boolean> =>
  store.ping(soon()).then(
    () => true,
    () => false,
  );

for (const flag of ['fails', 'dies'] as const)
  test(`a store whose disk or thread ${flag} comes back with all it answered`, async (t) => {
    using dir = temporaryDir();
    const file = join(dir.path, 'c.sqlite');
    const { store, lease } = await broken(t, file, flag);
    await eventually(() => answers(store));
    t.true(['1', '2'].includes(text(await store.get('k', soon())) ?? ''));
    await lease.keepAlive(soon());
    await write(store, put('k', '3'));
    const late = follow(store, 'k', 1n);
    await eventually(() => late.seen().at(-1) === 'put k=3');
    t.is(await late.stop(), undefined);
    await lease.revoke(soon());
    t.deepEqual(await keysBelow(store, ''), ['k']);
    await store.close();
  });

test('a store that is closed while it cannot be opened anew is closed', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const { store } = await broken(t, file, 'fails');
  await store.close();
  await rejectsWith(t, store.ping(soon()), 'COORDINATION_UNAVAILABLE');
  const next = openEmbeddedCoordination({ file, ...deps });
  await next.close();
});

test('what was answered survives a kill of the process amid a commit of its thread', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const answered = await committedUntilKilled(t, { file, dieAtSync: 12, inThread: true });
  t.true(answered >= 11);
  const store = await open(file);
  const found = (await keysBelow(store, 'n/')).length;
  // At most one had been begun behind those that were answered.
  t.true([answered, answered + 1].includes(found), `${answered} answered, ${found} found`);
  await store.close();
});
