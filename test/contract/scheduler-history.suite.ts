/** The scheduler's history on either database. */
import type { TestFn } from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { LogBatch } from '../../services/scheduler/domain/command.ts';
import type { UseQuery } from '../../services/scheduler/ports.ts';
import { createHistory } from '../../services/scheduler/store/history.ts';
import { schedulerMigrations } from '../../services/scheduler/store/migrations.ts';
import { createPastUses } from '../../services/scheduler/store/past-uses.ts';
import type { HistoryTables } from '../../services/scheduler/store/tables.ts';
import type { Migration } from '../../services/store/sql/migration.ts';
import { openSql, type SqlStore } from '../../services/store/sql/open.ts';
import type { SharedTables } from '../../services/store/sql/shared-tables.ts';
import { silentLog } from '../support/silent-log.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  finishRelease,
  granted,
  run,
  stateWith,
} from '../unit/scheduler/builders.ts';

const batch = (number: number, principals: readonly string[]): LogBatch => ({
  number,
  atMs: 1_000_000 + number,
  entries: principals.map((principal, at) => ({
    action: 'claim.create',
    objectKind: 'claim',
    objectUid: `uid-${number}-${at}`,
    objectName: `partitions/lab/projects/red/claims/c${number}`,
    project: 'red',
    principal,
    onBehalfOf: at === 0 ? undefined : 'users/bob',
    requestId: `request-${number}-${at}`,
    after: { count: at },
  })),
});

/** None was brought to its end. */
const NONE = () => [];

const endedClaim = () => {
  const state = stateWith([{ uid: 'p1', offers: { [CPU]: 4 } }]);
  run(state, createCommand({ id: 'a' }), 10);
  run(state, beginRelease('a'), 20);
  return granted(state, finishRelease('a', 'p1'), 30);
};

type ChangePlace = {
  readonly partition: string;
  readonly number: number;
  readonly position: number;
};

/** As it stood beside the audit row before how far the log is recorded had a row. */
const pastChange = (place: ChangePlace) => ({
  ...place,
  ...{ at_ms: 10, project: 'red', principal: 'users/eve', request_id: '' },
  ...{ action: 'claim.create', object_uid: 'old', object_name: 'a', after: '{}' },
});

const auditOf = (store: SqlStore) =>
  store.read(({ kysely }) =>
    kysely<SharedTables>().selectFrom('audit').selectAll().orderBy('id').execute(),
  );

export const schedulerHistorySuite = (test: TestFn, url: () => Promise<string>): void => {
  const open = async (
    at?: string,
    migrations: readonly Migration[] = schedulerMigrations,
  ): Promise<SqlStore> =>
    openSql({
      service: 'scheduler',
      url: at ?? (await url()),
      entities: [],
      migrations,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });

  test('a log is recorded once, with who did what and when', async (t) => {
    const store = await open();
    t.teardown(store.close);
    const history = createHistory(store);
    t.is(await history.collected('lab'), 0);
    const first = batch(1, ['users/ada', 'services/machine']);
    await history.record('Lab', [first], NONE);
    await history.record('lab', [first, batch(2, ['users/eve'])], NONE);
    t.is(await history.collected('lab'), 2);
    t.is(await history.collected('attic'), 0);
    const rows = await auditOf(store);
    t.deepEqual(
      rows.map((row) => [row.principal, row.on_behalf_of, Number(row.at_ms), row.request_id]),
      [
        ['users/ada', null, 1_000_001, 'request-1-0'],
        ['services/machine', 'users/bob', 1_000_001, 'request-1-1'],
        ['users/eve', null, 1_000_002, 'request-2-0'],
      ],
    );
    t.is(rows[1]?.after, '{"count":1}');
  });

  test('two who record the same log at once record it once', async (t) => {
    const store = await open();
    t.teardown(store.close);
    const history = createHistory(store);
    const batches = [1, 2, 3].map((number) => batch(number, ['users/ada', 'users/eve']));
    await Promise.all([
      history.record('lab', batches, NONE),
      history.record('lab', batches.slice(0, 2), NONE),
      history.record('lab', batches.slice(1), NONE),
    ]);
    t.is(await history.collected('lab'), 3);
    const ids = (await auditOf(store)).map((row) => row.request_id);
    t.deepEqual(ids, [...new Set(ids)]);
    t.is(ids.length, 6);
  });

  test('a long log is recorded as a whole and in its order, or not at all', async (t) => {
    const store = await open();
    t.teardown(store.close);
    const history = createHistory(store);
    const claim = endedClaim();
    const numbers = Array.from({ length: 50 }, (_, at) => at + 1);
    const batches = numbers.map((number) => batch(number, Array(20).fill('users/ada')));
    const breaking = function* () {
      yield* batches;
      throw new Error('the rest cannot be read');
    };
    await t.throwsAsync(
      history.record('lab', breaking(), () => [claim]),
      {
        message: 'the rest cannot be read',
      },
    );
    t.is(await history.collected('lab'), 0);
    t.deepEqual(await auditOf(store), []);
    await history.record('lab', batches, () => [claim]);
    t.is(await history.collected('lab'), 50);
    t.deepEqual(
      (await auditOf(store)).map((row) => row.request_id),
      batches.flatMap(({ entries }) => entries.map(({ requestId }) => requestId)),
    );
  });

  test('an ended claim is kept once', async (t) => {
    const store = await open();
    t.teardown(store.close);
    const history = createHistory(store);
    const claim = endedClaim();
    await history.record('lab', [batch(1, ['users/ada'])], () => [claim]);
    await history.record('lab', [batch(2, ['users/ada'])], () => [claim]);
    const rows = await store.read(({ kysely }) =>
      kysely<HistoryTables>().selectFrom('past_claim').selectAll().execute(),
    );
    t.is(rows.length, 1);
    t.is(Number(rows[0]?.end_ms), 30);
    t.is(JSON.parse(rows[0]?.doc ?? '{}').claimId, 'a');
  });

  test('what past claims used is found by time and by what a caller may see', async (t) => {
    const store = await open();
    t.teardown(store.close);
    const history = createHistory(store);
    const ended = { ...endedClaim(), uid: 'one' };
    const other = { ...ended, uid: 'two', project: 'Blue', partition: 'Attic' };
    await history.record('lab', [batch(1, ['users/ada'])], () => [ended, other]);
    await history.record('lab', [batch(2, ['users/ada'])], () => [ended]);
    const uids = async (rest: Partial<UseQuery>): Promise<readonly string[]> => {
      const found: string[] = [];
      const query = { ...EVERYTHING, fromMs: 0, untilMs: 100, ...rest };
      for await (const page of createPastUses(store).pages(query)) {
        found.push(...page.map(({ claimUid }) => claimUid));
      }
      return found.sort();
    };
    t.deepEqual(await uids({}), ['one', 'two']);
    t.deepEqual(await uids({ project: 'RED' }), ['one']);
    t.deepEqual(await uids({ partition: 'attic' }), ['two']);
    t.deepEqual(await uids({ fromMs: 20 }), [], 'its release began at 20');
    t.deepEqual(await uids({ fromMs: 19 }), ['one', 'two']);
    t.deepEqual(await uids({ untilMs: 10 }), [], 'it began at 10');
    const access = { ...EVERYTHING.access, everything: false };
    t.deepEqual(await uids({ access }), []);
    t.deepEqual(await uids({ access: { ...access, projects: new Set(['BLUE']) } }), ['two']);
    t.deepEqual(await uids({ access: { ...access, partitions: new Set(['LAB']) } }), ['one']);
    const pairs = [{ partition: 'lab', project: 'blue' }];
    t.deepEqual(await uids({ access: { ...access, pairs } }), []);
    for await (const page of createPastUses(store).pages({ ...EVERYTHING, project: 'red' })) {
      t.deepEqual(page, [
        {
          claimUid: 'one',
          project: 'red',
          owner: 'users/ada',
          consumerType: 'none',
          resourceType: CPU,
          amount: 1,
          fromMs: 10,
          toMs: 20,
        },
      ]);
    }
  });

  test('how far the log was recorded is known after an upgrade', async (t) => {
    const at = await url();
    const old = await open(at, schedulerMigrations.slice(0, 2));
    await old.transaction(undefined, { principal: 'test', requestId: '' }, async (tx) => {
      const rows = [1, 2, 3].flatMap((number) => [
        pastChange({ partition: 'lab', number, position: 0 }),
        pastChange({ partition: 'lab', number, position: 1 }),
      ]);
      const others = [pastChange({ partition: 'attic', number: 7, position: 0 })];
      await tx
        .kysely<{ past_change: object }>()
        .insertInto('past_change')
        .values([...rows, ...others])
        .execute();
    });
    await old.close();
    const store = await open(at);
    t.teardown(store.close);
    const history = createHistory(store);
    t.is(await history.collected('lab'), 3);
    t.is(await history.collected('attic'), 7);
    await history.record('lab', [batch(3, ['users/ada']), batch(4, ['users/eve'])], NONE);
    t.deepEqual(
      (await auditOf(store)).map(({ principal }) => principal),
      ['users/eve'],
    );
  });

  test('claims that ended before there was a list of uses are listed too', async (t) => {
    const at = await url();
    const old = await open(at, schedulerMigrations.slice(0, 1));
    const { owner: _, ...first } = { ...endedClaim(), uid: 'old' };
    await old.transaction(undefined, { principal: 'test', requestId: '' }, async (tx) => {
      const kysely = tx.kysely<HistoryTables>();
      const row = { uid: 'old', partition: 'lab', project: 'red', claim_id: 'a' };
      const times = { create_ms: 10, end_ms: 30 };
      const doc = JSON.stringify(first);
      await kysely
        .insertInto('past_claim')
        .values({ ...row, ...times, doc })
        .execute();
      await tx
        .kysely<{ past_change: object }>()
        .insertInto('past_change')
        .values(pastChange({ partition: 'lab', number: 1, position: 0 }))
        .execute();
    });
    await old.close();
    const store = await open(at);
    t.teardown(store.close);
    const found: unknown[] = [];
    for await (const page of createPastUses(store).pages(EVERYTHING)) {
      found.push(
        ...page.map(({ claimUid, owner, fromMs, toMs }) => [claimUid, owner, fromMs, toMs]),
      );
    }
    t.deepEqual(found, [['old', 'users/eve', 10, 20]]);
  });
};

const EVERYTHING: UseQuery = {
  fromMs: 0,
  untilMs: 1_000,
  partition: undefined,
  project: undefined,
  access: { everything: true, projects: new Set(), partitions: new Set(), pairs: [] },
};
