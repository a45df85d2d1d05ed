/** The scheduler's history on either database. */
import type { TestFn } from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { LogBatch } from '../../services/scheduler/domain/command.ts';
import { createHistory } from '../../services/scheduler/store/history.ts';
import { schedulerMigrations } from '../../services/scheduler/store/migrations.ts';
import type { HistoryTables } from '../../services/scheduler/store/tables.ts';
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

const endedClaim = () => {
  const state = stateWith([{ uid: 'p1', offers: { [CPU]: 4 } }]);
  run(state, createCommand({ id: 'a' }), 10);
  run(state, beginRelease('a'), 20);
  return granted(state, finishRelease('a', 'p1'), 30);
};

const auditOf = (store: SqlStore) =>
  store.read(({ kysely }) =>
    kysely<SharedTables>().selectFrom('audit').selectAll().orderBy('id').execute(),
  );

export const schedulerHistorySuite = (test: TestFn, url: () => Promise<string>): void => {
  const open = async (): Promise<SqlStore> =>
    openSql({
      service: 'scheduler',
      url: await url(),
      entities: [],
      migrations: schedulerMigrations,
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
    await history.record('Lab', [first], []);
    await history.record('lab', [first, batch(2, ['users/eve'])], []);
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

  test('an ended claim is kept once', async (t) => {
    const store = await open();
    t.teardown(store.close);
    const history = createHistory(store);
    const claim = endedClaim();
    await history.record('lab', [batch(1, ['users/ada'])], [claim]);
    await history.record('lab', [batch(2, ['users/ada'])], [claim]);
    const rows = await store.read(({ kysely }) =>
      kysely<HistoryTables>().selectFrom('past_claim').selectAll().execute(),
    );
    t.is(rows.length, 1);
    t.is(Number(rows[0]?.end_ms), 30);
    t.is(JSON.parse(rows[0]?.doc ?? '{}').claimId, 'a');
  });
};
