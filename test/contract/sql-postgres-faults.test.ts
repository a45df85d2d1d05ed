import type { ExecutionContext } from 'ava';
import type pg from 'pg';
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openSql, type SqlStore } from '../../services/store/sql/open.ts';
import { needs, slot } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { silentLog } from '../support/silent-log.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { change, collect, drain } from './sql-changes.suite.ts';
import { pauses, readInSteps, resumeOften, seededChance } from './sql-feed-readers.ts';
import { actor, addBook, addBooks, Book, countRows, keyOf, openBooks } from './sql-fixture.ts';

/**
 * PostgreSQL when things go wrong. A file and a server of its own, one test after the other: a
 * transaction left open holds back the feeds of the whole cluster.
 */
const need = needs('postgres');
const test = need.test;
let server: TestPostgres;
let turn: Awaited<ReturnType<typeof slot>>;

test.before(async () => {
  turn = await slot('database');
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
  turn?.release();
});

const signal = () => AbortSignal.timeout(60_000);

const open = async (t: ExecutionContext, url: string, limits = {}): Promise<SqlStore> => {
  const store = await openBooks(url, { limits });
  t.teardown(() => store.close());
  return store;
};

/** Ended with its test: a transaction left open would hold back the feeds of all the others. */
const connect = async (t: ExecutionContext, url: string): Promise<pg.Client> => {
  const client = await server.connect(url);
  t.teardown(() => client.end());
  return client;
};

const insertChange = (client: pg.Client, uid: string) =>
  client.query("insert into library.change (kind, uid, deleted, at_ms) values ('book', $1, 0, 0)", [
    uid,
  ]);

test.serial(
  'a change that commits late is delivered, and nothing is delivered before it is safe',
  async (t) => {
    const url = await server.createDatabase();
    const store = await open(t, url, { pollMs: 50 });
    const start = await store.changes.head();
    const late = await connect(t, url);
    await late.query('begin');
    await insertChange(late, 'late');
    const follower = collect(store, start);
    await change(store, 'book', ['early']);
    t.deepEqual((await store.changes.read({ token: start, limit: 10 })).changes, []);
    await late.query('commit');
    await eventually(() => follower.uids().length === 2);
    // The numbers were given in the other order than the commits came.
    t.deepEqual(follower.uids(), ['late', 'early']);
    await follower.stop();
  },
);

test.serial(
  'what an open transaction held back is delivered soon after it ends, without a nudge',
  async (t) => {
    const url = await server.createDatabase();
    const store = await open(t, url, { pollMs: 600_000 });
    const follower = collect(store, await store.changes.head());
    const foreign = await connect(t, url);
    await foreign.query('begin');
    await foreign.query('select pg_current_xact_id()');
    await change(store, 'book', ['held']);
    await foreign.query('select pg_sleep(0.1)');
    t.deepEqual(follower.uids(), []);
    await foreign.query('rollback');
    await eventually(() => follower.uids().length === 1);
    await follower.stop();
  },
);

test.serial(
  'writers that commit out of order: no follower misses or doubles a change',
  async (t) => {
    const url = await server.createDatabase();
    const seed = systemRandom.bytes(4).readUInt32LE();
    t.log(`seed ${seed}`);
    const chance = seededChance(seed);
    const stores = await Promise.all([open(t, url, { pollMs: 50 }), open(t, url, { pollMs: 50 })]);
    const [one, two] = stores;
    const start = await one.changes.head();
    const blocker = await connect(t, url);
    await blocker.query('begin');
    await insertChange(blocker, 'blocker');

    const written: string[] = ['blocker'];
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      const client = await connect(t, url);
      for (let round = 0; round < 30; round += 1) {
        await client.query('begin');
        const uids = Array.from({ length: 1 + chance(3) }, (_, i) => `w${writer}-${round}-${i}`);
        for (const uid of uids) {
          await insertChange(client, uid);
          await pauses(chance(6));
        }
        const isKept = chance(5) > 0;
        await client.query(isKept ? 'commit' : 'rollback');
        written.push(...(isKept ? uids : []));
      }
    });
    const throughStores = stores.map(async (store, index) => {
      for (let round = 0; round < 30; round += 1) {
        const uid = `s${index}-${round}`;
        await change(store, 'book', [uid]);
        written.push(uid);
      }
    });

    const live = collect(one, start);
    const reader = readInSteps(two, start, chance);
    const resuming = resumeOften([one, two], start, chance);
    const halfway = Promise.all(writers.slice(0, 4));
    await halfway;
    await blocker.query('commit');
    await Promise.all([...writers, ...throughStores]);

    const expected = written.toSorted();
    const complete = (uids: readonly string[]) => uids.length >= expected.length;
    await eventually(() => complete(live.uids()), { message: 'all at the live follower' });
    await eventually(() => complete(reader.uids()), { message: 'all at the stepping reader' });
    await eventually(() => complete(resuming.uids()), { message: 'all at the resuming follower' });
    await Promise.all([live.stop(), reader.stop(), resuming.stop()]);
    t.deepEqual(live.uids().toSorted(), expected);
    t.deepEqual(reader.uids().toSorted(), expected);
    t.deepEqual(resuming.uids().toSorted(), expected);
    t.deepEqual((await drain(two, live.token(), 0)).uids, []);
  },
);

test.serial('a commit on one replica wakes the followers of another', async (t) => {
  const url = await server.createDatabase();
  const limits = { pollMs: 600_000, bookmarkMs: 600_000 };
  const [one, two] = await Promise.all([open(t, url, limits), open(t, url, limits)]);
  const follower = collect(two, await two.changes.head());
  for (const uid of ['a', 'b', 'c']) {
    await change(one, 'book', [uid]);
    await eventually(() => follower.uids().includes(uid));
  }
  await follower.stop();
  t.deepEqual(follower.uids(), ['a', 'b', 'c']);
});

test.serial(
  'transactions that lock each other are run again until both have happened',
  async (t) => {
    const url = await server.createDatabase();
    const store = await open(t, url);
    const [first = '', second = ''] = await addBooks(store, ['one', 'two']);
    let attempts = 0;
    const meeting = Promise.withResolvers<void>();
    let arrived = 0;
    const rename = (order: readonly string[]) =>
      store.transaction(undefined, actor, async (tx) => {
        attempts += 1;
        for (const [index, uid] of order.entries()) {
          await tx.em.nativeUpdate(Book, { uid }, { pages: attempts });
          if (index === 0) {
            arrived += 1;
            if (arrived >= 2) {
              meeting.resolve();
            }
            await meeting.promise;
          }
        }
      });
    await Promise.all([rename([first, second]), rename([second, first])]);
    t.true(attempts > 2, 'there was no deadlock');
  },
);

test.serial(
  'a lock that another session holds too long is STORE_BUSY and changes nothing',
  async (t) => {
    const url = await server.createDatabase();
    const store = await open(t, url, { lockMs: 200 });
    const [uid = ''] = await addBooks(store, ['Dune']);
    const holder = await connect(t, url);
    await holder.query('begin');
    await holder.query('select 1 from library.book for update');
    const error = await t.throwsAsync(
      store.transaction(undefined, actor, async (tx) => {
        tx.change({ kind: 'book', uid });
        await tx.em.nativeUpdate(Book, { uid }, { pages: 1 });
      }),
    );
    t.true(isDomainError(error, 'unavailable', 'STORE_BUSY'));
    await holder.query('rollback');
    t.deepEqual(await countRows(store, 'change'), [1]);
  },
);

test.serial(
  'connections that the server cuts inside transactions cost the pool nothing',
  async (t) => {
    const url = await server.createDatabase();
    const store = await open(t, url, { connectionsMax: 2, connectionWaitMs: 2_000 });
    const admin = await connect(t, url);
    for (let round = 0; round < 6; round += 1) {
      const cut = store.transaction(undefined, actor, async (tx) => {
        addBook(tx, `book-${round}`);
        await tx.em.flush();
        await admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in%'`,
        );
        await tx.em.count(Book, {});
      });
      const error = await t.throwsAsync(cut);
      t.true(isDomainError(error, 'unavailable', 'STORE_UNAVAILABLE'), error?.message);
    }
    await addBooks(store, ['after']);
    t.deepEqual(await countRows(store, 'book'), [1]);
  },
);

test.serial(
  'a database that is killed and comes back: clear errors, not ready, then all goes on',
  async (t) => {
    const url = await server.createDatabase();
    const store = await open(t, url, { pollMs: 100, connectionWaitMs: 2_000, bookmarkMs: 100 });
    const follower = collect(store, await store.changes.head());
    await store.transaction(keyOf('r-1', 'x'), actor, async (tx) => addBook(tx, 'before'));
    await eventually(() => follower.uids().length === 1);
    const begun = Promise.withResolvers<void>();
    const killed = Promise.withResolvers<void>();
    const cut = store.transaction(keyOf('r-2', 'x'), actor, async (tx) => {
      addBook(tx, 'cut');
      await tx.em.flush();
      begun.resolve();
      await killed.promise;
      return 'done';
    });
    await begun.promise;
    await server.kill();
    killed.resolve();
    t.true(isDomainError(await t.throwsAsync(cut), 'unavailable', 'STORE_UNAVAILABLE'));
    t.true(
      isDomainError(await t.throwsAsync(store.ping(signal())), 'unavailable', 'STORE_UNAVAILABLE'),
    );
    const read = await t.throwsAsync(countRows(store, 'book'));
    t.true(isDomainError(read, 'unavailable', 'STORE_UNAVAILABLE'));

    await server.restart();
    await eventually(() => store.ping(signal()));
    await store.transaction(keyOf('r-2', 'x'), actor, async (tx) => addBook(tx, 'cut'));
    await eventually(() => follower.uids().length === 2, { message: 'the follower going on' });
    await follower.stop();
    t.deepEqual(await countRows(store, 'book', 'request', 'change', 'audit'), [2, 2, 2, 2]);
  },
);

test.serial(
  'a commit whose answer is lost is OUTCOME_UNKNOWN, and a frozen database ends every wait',
  async (t) => {
    const direct = await server.createDatabase();
    await using proxy = await startTcpProxy(server.port);
    const url = new URL(direct);
    url.port = String(proxy.port);
    const store = await open(t, url.href, { statementMs: 2_000, connectionWaitMs: 2_000 });
    const unknown = await t.throwsAsync(
      store.transaction(undefined, actor, async (tx) => {
        const uid = systemRandom.uid();
        const values = { uid, shelf: 'a', name: 'Dune', createTime: systemClock.now(), labels: {} };
        tx.em.create(Book, values);
        await tx.em.flush();
        // The next statement is the commit.
        proxy.swallowAnswers();
      }),
    );
    t.true(isDomainError(unknown, 'unavailable', 'OUTCOME_UNKNOWN'), String(unknown));
    for (const attempt of [() => store.ping(signal()), () => addBooks(store, ['Emma'])]) {
      const error = await t.throwsAsync(attempt());
      t.true(error instanceof Error && /STORE_(UNAVAILABLE|BUSY)/.test(Object(error).reason));
    }
    proxy.cut();
    await eventually(() => store.ping(signal()));
    t.deepEqual(await countRows(store, 'book'), [1]);
  },
);

test.serial(
  'a crash that hands out transaction ids again hides no change from an older token',
  async (t) => {
    const url = await server.createDatabase();
    const store = await open(t, url);
    const start = await store.changes.head();
    await change(store, 'book', ['before']);
    await drain(store, start, 1);
    const burner = await connect(t, url);
    for (let count = 0; count < 50; count += 1) {
      // Ids that never reach the log, because their transactions wrote nothing.
      await burner.query('begin; select pg_current_xact_id(); rollback');
    }
    const token = await store.changes.head();
    await server.kill();
    await server.restart();
    await eventually(() => store.ping(signal()));
    await change(store, 'book', ['after']);
    t.deepEqual((await drain(store, token, 1)).uids, ['after']);
  },
);

test.serial('a store opens when a database that is still starting answers', async (t) => {
  const url = await server.createDatabase();
  await server.kill();
  const opening = openBooks(url);
  await server.restart();
  const store = await opening;
  t.teardown(() => store.close());
  await addBooks(store, ['Dune']);
  await server.kill();
  const error = await t.throwsAsync(openBooks(url, { limits: { openMs: 300 } }));
  t.true(isDomainError(error, 'unavailable', 'STORE_UNAVAILABLE'));
  await server.restart();
});

test.serial('a wrong password is refused at once, and shown nowhere', async (t) => {
  const url = new URL(await server.createDatabase());
  url.password = 'wrong-and-secret';
  const error = await t.throwsAsync(openBooks(url.href));
  t.true(isDomainError(error, 'failed_precondition', 'STORE_REFUSED'));
  t.notRegex(`${error?.stack} ${String(error?.cause)}`, /wrong-and-secret/);
});

test.serial('a transaction that stays open makes the store not ready until it ends', async (t) => {
  const url = await server.createDatabase();
  const store = await open(t, url, { horizonAgeMs: 150 });
  const foreign = await connect(t, await server.createDatabase());
  await foreign.query('begin');
  await foreign.query('select pg_current_xact_id()');
  await addBooks(store, ['Dune']);
  t.is((await store.ping(signal())).horizonAgeMs, 0);
  const error = await eventually(() =>
    store.ping(signal()).then(
      () => undefined,
      (failure: unknown) => failure,
    ),
  );
  t.true(isDomainError(error, 'unavailable', 'STORE_HORIZON_OLD'));
  await foreign.query('rollback');
  t.is((await store.ping(signal())).horizonAgeMs, 0);
});

test.serial('services share a database without seeing each other', async (t) => {
  const url = await server.createDatabase();
  const store = await open(t, url);
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const other = await openSql({ service: 'other', url, entities: [], migrations: [], ...deps });
  t.teardown(() => other.close());
  const token = await other.changes.head();
  await addBooks(store, ['Dune']);
  t.deepEqual((await other.changes.read({ token, limit: 10 })).changes, []);
  t.deepEqual(await countRows(other, 'change'), [0]);
  await t.throwsAsync(countRows(other, 'book'));
  const foreignToken = await store.changes.head();
  const error = await t.throwsAsync(other.changes.read({ token: foreignToken, limit: 1 }));
  t.true(isDomainError(error, 'out_of_range', 'RESUME_TOKEN_EXPIRED'));
});
