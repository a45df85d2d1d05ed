/**
 * The journal. Whoever works on an operation holds its lease; every write of the worker compares
 * the epoch of the lease, so a replica that was frozen and wakes changes nothing.
 */
import { sql } from 'kysely';
import { ANY } from '../../runtime/names.ts';
import type { Page } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { Operation } from '../domain/operation.ts';
import type { OperationRecords } from '../ports.ts';
import { below, db, keyOf, readDoc, within, writeDoc } from './rows.ts';

const hasBegunToClaim = (operation: Operation): boolean =>
  operation.steps.some((step) => step.name === 'claim' && step.state !== 'pending');

const rowOf = (operation: Operation) => ({
  done: operation.endMs === null ? 0 : 1,
  end_ms: operation.endMs,
  claim_begun: hasBegunToClaim(operation) ? 1 : 0,
  doc: writeDoc(operation),
});

const read = (row: { readonly doc: string }): Operation => readDoc<Operation>(row.doc, {});

const changed = (tx: Tx, operation: Pick<Operation, 'uid' | 'project'>): void =>
  tx.change({ kind: 'operation', uid: operation.uid, projectUid: operation.project });

const COLUMNS = ['doc'] as const;

export const operationRecords: OperationRecords = {
  insert: async (tx, operation) => {
    await db(tx)
      .insertInto('operation')
      .values({
        uid: operation.uid,
        partition_key: keyOf(operation.partition),
        project_key: keyOf(operation.project),
        target_uid: operation.targetUid,
        owner: null,
        lease_epoch: 0,
        lease_until_ms: 0,
        wake_ms: operation.wakeMs,
        ...rowOf(operation),
      })
      .execute();
    changed(tx, operation);
  },
  find: async (reader, uid) => {
    const row = await db(reader)
      .selectFrom('operation')
      .select(COLUMNS)
      .where('uid', '=', uid)
      .executeTakeFirst();
    return row === undefined ? undefined : read(row);
  },
  list: async (reader, filter, page) => {
    let rows = db(reader)
      .selectFrom('operation')
      .select(['id', ...COLUMNS])
      .where(below({ partition: filter.partition, project: ANY }))
      .where(within(filter.access));
    if (filter.targetUid !== '') rows = rows.where('target_uid', '=', filter.targetUid);
    if (filter.runningOnly) rows = rows.where('done', '=', 0);
    const found = await rows
      .where(beforeKey(page))
      .orderBy('id', 'desc')
      .limit(page.limit)
      .execute();
    return found.map((row) => ({ id: Number(row.id), operation: read(row) }));
  },
  lease: async (tx, { uid, owner, untilMs, nowMs }) => {
    const row = await db(tx)
      .updateTable('operation')
      // If this owner dies, the operation is due when its lease ends and not when it wanted to
      // wake.
      .set({
        owner,
        lease_until_ms: untilMs,
        wake_ms: untilMs,
        lease_epoch: sql<number>`lease_epoch + 1`,
      })
      .where('uid', '=', uid)
      .where('done', '=', 0)
      .where((when) => when.or([when('owner', 'is', null), when('lease_until_ms', '<', nowMs)]))
      .returning([...COLUMNS, 'lease_epoch'])
      .executeTakeFirst();
    return row === undefined ? undefined : { operation: read(row), epoch: Number(row.lease_epoch) };
  },
  release: async (tx, { uid, lease, wakeMs }) => {
    const result = await db(tx)
      .updateTable('operation')
      .set({ owner: null, lease_until_ms: 0, wake_ms: wakeMs })
      .where('uid', '=', uid)
      .where('owner', '=', lease.owner)
      .where('lease_epoch', '=', lease.epoch)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  },
  saveLeased: async (tx, operation, { lease, untilMs }) => {
    const result = await db(tx)
      .updateTable('operation')
      .set({ ...rowOf(operation), lease_until_ms: untilMs, wake_ms: untilMs })
      .where('uid', '=', operation.uid)
      .where('done', '=', 0)
      .where('owner', '=', lease.owner)
      .where('lease_epoch', '=', lease.epoch)
      .executeTakeFirst();
    if (result.numUpdatedRows !== 1n) return false;
    changed(tx, operation);
    return true;
  },
  saveTaking: async (tx, operation) => {
    await db(tx)
      .updateTable('operation')
      .set({
        ...rowOf(operation),
        owner: null,
        lease_until_ms: 0,
        wake_ms: 0,
        lease_epoch: sql<number>`lease_epoch + 1`,
      })
      .where('uid', '=', operation.uid)
      .execute();
    changed(tx, operation);
  },
  lock: async (tx, uid) => {
    const row = await db(tx)
      .updateTable('operation')
      .set({ done: sql<number>`done` })
      .where('uid', '=', uid)
      .returning(COLUMNS)
      .executeTakeFirst();
    return row === undefined ? undefined : read(row);
  },
  due: async (reader, nowMs, limit) => {
    const rows = await db(reader)
      .selectFrom('operation')
      .select('uid')
      .where('done', '=', 0)
      .where('wake_ms', '<=', nowMs)
      .where((when) => when.or([when('owner', 'is', null), when('lease_until_ms', '<', nowMs)]))
      .orderBy('wake_ms')
      .limit(limit)
      .execute();
    return rows.map((row) => row.uid);
  },
  open: async (reader, { uids, machineUids, agentUids }) => {
    const any = (column: string, values: readonly string[]) =>
      values.length === 0
        ? sql<boolean>`1 = 0`
        : sql<boolean>`${sql.ref(column)} in (${sql.join([...values])})`;
    const { rows } = await sql<{ uid: string; owner: string | null; lease_until_ms: number }>`
      select uid, owner, lease_until_ms from operation
      where done = 0 and (${any('uid', uids)} or ${any('target_uid', machineUids)}
        or target_uid in (
          select a.uid from assignment a join agent g on g.agent_key = a.agent_key
          where ${any('g.uid', agentUids)}))`.execute(db(reader));
    return rows.map((row) => ({
      uid: row.uid,
      owner: row.owner,
      leaseUntilMs: Number(row.lease_until_ms),
    }));
  },
  claimBegun: async (reader, machineUid) => {
    const row = await db(reader)
      .selectFrom('operation')
      .select('uid')
      .where('target_uid', '=', machineUid)
      .where('claim_begun', '=', 1)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  },
  lastOf: async (reader, machineUid) => {
    const row = await db(reader)
      .selectFrom('operation')
      .select(COLUMNS)
      .where('target_uid', '=', machineUid)
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? undefined : read(row);
  },
  removeDone: async (tx, beforeMs, limit) => {
    const result = await db(tx)
      .deleteFrom('operation')
      .where('id', 'in', (from) =>
        from.selectFrom('operation').select('id').where('end_ms', '<', beforeMs).limit(limit),
      )
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  },
};

/** Newest first: a page goes on below the last number. */
const beforeKey = (page: Page) =>
  page.after === undefined ? sql<boolean>`1 = 1` : sql<boolean>`id < ${page.after[0] ?? 0}`;
