import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { Sync } from '../../services/store/coordination/embedded/journal.ts';
import {
  type EmbeddedOptions,
  openEmbeddedCoordination,
} from '../../services/store/coordination/embedded/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { eventually } from '../support/eventually.ts';
import { heldSync } from '../support/held-sync.ts';
import { type Disk, diskOf } from '../support/power-cut.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { silentLog } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { committedUntilKilled } from './coordination-crash.ts';
import { follow, keysBelow, put, rejectsWith, soon, text, write } from './coordination-support.ts';

const open = (file: string, sync?: Sync, more: Partial<EmbeddedOptions> = {}): Coordination =>
  openEmbeddedCoordination({
    file,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...(sync === undefined ? {} : { sync }),
    ...more,
  });

test('reads and watches show a commit once it is durable, and not before', async (t) => {
  using dir = temporaryDir();
  const disk = heldSync();
  const store = open(join(dir.path, 'c.sqlite'), disk.sync);
  const first = write(store, put('k', 'old'));
  await eventually(() => disk.waiting() === 1);
  disk.release();
  const { revision } = await first;
  const live = follow(store, '', 1n);
  await eventually(() => live.seen().length === 1);

  const second = write(store, put('k', 'new'), put('l', ''));
  await eventually(() => disk.waiting() === 1);
  const late = follow(store, '', 1n);
  await eventually(() => late.seen().length === 1);
  let answers = 0;
  const reads = [
    store.get('k', soon()).then(text),
    keysBelow(store, ''),
    store.range({ prefix: '', revision }, soon()).then(({ keys }) => text(keys[0])),
  ];
  for (const read of reads) read.then(() => (answers += 1));
  await new Promise(setImmediate);
  t.is(answers, 0);
  t.deepEqual(live.seen(), ['put k=old']);
  t.deepEqual(late.seen(), ['put k=old']);

  disk.release();
  t.is((await second).revision, revision + 1n);
  t.deepEqual(await Promise.all(reads), ['new', ['k', 'l'], 'old']);
  const all = ['put k=old', 'put k=new', 'put l='];
  for (const { seen, stop } of [live, late]) {
    await eventually(() => seen().length === all.length);
    t.deepEqual(seen(), all);
    t.is(await stop(), undefined);
  }
  await store.close();
});

test('a read that waits for the disk ends with its signal', async (t) => {
  using dir = temporaryDir();
  const disk = heldSync();
  const store = open(join(dir.path, 'c.sqlite'), disk.sync);
  const writing = write(store, put('k', ''));
  await eventually(() => disk.waiting() === 1);
  const caller = new AbortController();
  const reading = store.get('k', caller.signal);
  caller.abort();
  await rejectsWith(t, reading, 'COORDINATION_UNAVAILABLE');
  disk.release();
  await writing;
  await store.close();
});

test('a store that cannot be synced closes, and has what was answered when opened', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const disk = heldSync();
  const store = open(file, disk.sync);
  const granting = store.grantLease(60_000, soon());
  await eventually(() => disk.waiting() === 1);
  disk.release();
  const lease = await granting;
  const writing = write(store, put('k', '1'));
  await eventually(() => disk.waiting() === 1);
  disk.release();
  await writing;
  const follower = follow(store, '', 1n);

  const lost = write(store, put('k', '2'));
  await eventually(() => disk.waiting() === 1);
  const reading = store.get('k', soon());
  const behind = write(store, put('k', '3'));
  disk.fail(new Error('EIO'));
  await rejectsWith(t, lost, 'OUTCOME_UNKNOWN');
  const reason = 'COORDINATION_UNAVAILABLE';
  await rejectsWith(t, reading, reason);
  await rejectsWith(t, behind, reason);
  await rejectsWith(t, store.ping(soon()), reason);
  await rejectsWith(t, lease.keepAlive(soon()), reason);
  t.like(await follower.ended, { reason });
  t.deepEqual(follower.seen(), ['put k=1']);
  await store.close();

  const again = open(file);
  t.true(['1', '2'].includes(text(await again.get('k', soon())) ?? ''));
  await again.close();
});

const keyOf = (number: number): string => `n/${String(number).padStart(6, '0')}`;

/** The numbers that have keys. */
const numbersIn = async (store: Coordination): Promise<readonly number[]> => {
  const keys = await keysBelow(store, 'n/');
  return keys.map((key) => Number(key.slice('n/'.length)));
};

const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1);

const ROUNDS = 80;
const VALUE_BYTES_MAX = 120_000;
/** Few enough for checkpoints, after which the journal is begun anew. */
const JOURNAL_PAGES = 500;

test('a power cut takes nothing that was answered, and no commit without later ones', async (t) => {
  const seed = 7;
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  using dir = temporaryDir({ inMemory: true });
  const file = join(dir.path, 'c.sqlite');
  let disk: Disk | undefined;
  let answered = 0;
  let cuts = 0;
  const cutPower = async (from: Disk): Promise<void> => {
    const folder = join(dir.path, `cut-${cuts}`);
    cuts += 1;
    const survivor = open(from.cut(folder));
    const found = await numbersIn(survivor);
    t.deepEqual(found, upTo(found.length));
    t.true(found.length >= answered, `${answered} were answered, ${found.length} are there`);
    await survivor.close();
    rmSync(folder, { recursive: true });
  };
  const sync = async (): Promise<void> => {
    if (disk === undefined) return;
    if (random.fraction() < 0.3) await cutPower(disk);
    disk.synced();
  };
  const store = open(file, sync, { journalPages: JOURNAL_PAGES });
  disk = diskOf(file, random);
  for (let last = 0; last < ROUNDS * 3; last += 3) {
    const puts = [1, 2, 3].map((next) => {
      const value = 'x'.repeat(random.fraction() * VALUE_BYTES_MAX);
      return write(store, put(keyOf(last + next), value));
    });
    await Promise.all(puts);
    answered = last + puts.length;
  }
  t.true(cuts > ROUNDS / 6, `${cuts} cuts`);
  await store.close();
});

for (const dieAtSync of [1, 2, 7, 23])
  test(`what was answered survives a kill between a commit and sync ${dieAtSync}`, async (t) => {
    using dir = temporaryDir();
    const file = join(dir.path, 'c.sqlite');
    // Each commit is one sync, and of the last nobody was told.
    t.is(await committedUntilKilled(t, { file, dieAtSync }), dieAtSync - 1);
    const store = open(file);
    // Where the journal could not be synced only the file proves that what is shown will stay.
    t.is(statSync(`${file}-wal`).size, 0);
    const found = await numbersIn(store);
    t.deepEqual(found, upTo(found.length));
    t.true(found.length >= dieAtSync - 1);
    const { revision } = await write(store, put('after', ''));
    t.is(revision, BigInt(found.length) + 2n);
    await store.close();
  });
