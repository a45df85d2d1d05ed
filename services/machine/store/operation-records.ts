/**
 * The journal. Whoever calls another service for an operation holds its row meanwhile; every write
 * compares the row's epoch and raises it, so a replica that was frozen and wakes changes nothing.
 */
import { sql } from 'kysely';
import { ANY } from '../../runtime/names.ts';
import type { Page } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { updateRows } from '../../store/sql/update-rows.ts';
import type { Machine } from '../domain/machine.ts';
import type { Operation } from '../domain/operation.ts';
import type { Grip, OperationRecords, SeenAgent, SeenOperation } from '../operation-ports.ts';
import { below, db, keyOf, readDoc, within, writeDoc } from './rows.ts';

const hasBegunToClaim = (operation: Operation): boolean =>
  operation.steps.some((step) => step.name === 'claim' && step.state !== 'pending');

const rowOf = (operation: Operation) => ({
  done: operation.endMs === null ? 0 : 1,
  end_ms: operation.endMs,
  claim_begun: hasBegunToClaim(operation) ? 1 : 0,
  doc: writeDoc(operation),
});

const newRowOf = (operation: Operation) => ({
  uid: operation.uid,
  partition_key: keyOf(operation.partition),
  project_key: keyOf(operation.project),
  target_uid: operation.targetUid,
  lease_epoch: 0,
  ...rowOf(operation),
});

const read = (row: { readonly doc: string }): Operation => readDoc<Operation>(row.doc, {});

const changed = (tx: Tx, operation: Pick<Operation, 'uid' | 'project'>): void =>
  tx.change({ kind: 'operation', uid: operation.uid, projectUid: operation.project });

const COLUMNS = ['doc'] as const;

export const operationRecords: OperationRecords = {
  insert: async (tx, operation) => {
    const free = { owner: null, lease_until_ms: 0, wake_ms: operation.wakeMs };
    await db(tx)
      .insertInto('operation')
      .values({ ...newRowOf(operation), ...free })
      .execute();
    changed(tx, operation);
  },
  insertMany: async (tx, taken) => {
    const rows = taken.map(({ operation, grip: { owner, untilMs } }) => ({
      ...newRowOf(operation),
      ...{ owner, lease_until_ms: untilMs, wake_ms: untilMs },
    }));
    await db(tx).insertInto('operation').values(rows).execute();
    for (const { operation } of taken) changed(tx, operation);
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
  look: async (reader, uids) => {
    const rows = await db(reader)
      .selectFrom('operation as o')
      .innerJoin('machine as m', 'm.uid', 'o.target_uid')
      .leftJoin('assignment as a', 'a.uid', 'm.uid')
      .leftJoin('agent as g', 'g.agent_key', 'a.agent_key')
      .select(['o.doc as operation', 'o.owner', 'o.lease_epoch', 'o.lease_until_ms', 'o.wake_ms'])
      .select(['m.doc as machine', 'm.version', 'a.absent', 'a.gone', 'a.agent_key'])
      .select(['g.doc as agent'])
      .where('o.uid', 'in', [...uids])
      .execute();
    return new Map(rows.map(seen).map((one) => [one.operation.uid, one]));
  },
  write: async (tx, gripped) => {
    const written = await updateRows(db(tx), {
      table: 'operation',
      columns: GRIPPED_COLUMNS,
      rows: gripped.map(({ operation, grip }) => ({
        uid: operation.uid,
        ...rowOf(operation),
        ...gripOf(grip),
        mine: grip.owner,
        now_ms: grip.nowMs,
      })),
      written: ['done', 'end_ms', 'claim_begun', 'doc', ...GRIP],
      where: sql<boolean>`operation.done = 0 and operation.lease_epoch = given.lease_epoch - 1
        and (operation.owner = given.mine or operation.owner is null
          or operation.lease_until_ms < given.now_ms)`,
    });
    for (const { operation } of gripped) if (written.has(operation.uid)) changed(tx, operation);
    return written;
  },
  hold: async (tx, uid, grip) => {
    const result = await db(tx)
      .updateTable('operation')
      .set(gripOf(grip))
      .where('uid', '=', uid)
      .where(isGripped(grip))
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
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

type SeenRow = {
  readonly operation: string;
  readonly owner: string | null;
  readonly lease_epoch: number;
  readonly lease_until_ms: number;
  readonly wake_ms: number;
  readonly machine: string;
  readonly version: number;
  readonly absent: number | null;
  readonly gone: number | null;
  readonly agent_key: string | null;
  readonly agent: string | null;
};

const seen = (row: SeenRow): SeenOperation => ({
  operation: readDoc<Operation>(row.operation, {}),
  owner: row.owner,
  epoch: Number(row.lease_epoch),
  leaseUntilMs: Number(row.lease_until_ms),
  wakeMs: Number(row.wake_ms),
  machine: readDoc<Machine>(row.machine, { version: Number(row.version) }),
  assignment:
    row.agent_key === null
      ? undefined
      : {
          absent: Number(row.absent) === 1,
          gone: Number(row.gone) === 1,
          agentKey: row.agent_key,
        },
  agent: row.agent === null ? undefined : readDoc<SeenAgent>(row.agent, {}),
});

const gripOf = ({ owner, epoch, untilMs, wakeMs }: Grip) => ({
  owner: untilMs === 0 ? null : owner,
  lease_until_ms: untilMs,
  // If this owner dies, the operation is due when its lease ends and not when it wanted to wake.
  wake_ms: untilMs === 0 ? wakeMs : untilMs,
  lease_epoch: epoch + 1,
});

const GRIP = ['owner', 'lease_until_ms', 'wake_ms', 'lease_epoch'] as const;
const GRIPPED_COLUMNS = {
  uid: 'text',
  done: 'bigint',
  end_ms: 'bigint',
  claim_begun: 'bigint',
  doc: 'text',
  owner: 'text',
  lease_until_ms: 'bigint',
  wake_ms: 'bigint',
  lease_epoch: 'bigint',
  mine: 'text',
  now_ms: 'bigint',
} as const;

const isGripped = ({ owner, epoch, nowMs }: Grip) =>
  sql<boolean>`done = 0 and lease_epoch = ${epoch}
    and (owner = ${owner} or owner is null or lease_until_ms < ${nowMs})`;

/** Newest first: a page goes on below the last number. */
const beforeKey = (page: Page) =>
  page.after === undefined ? sql<boolean>`1 = 1` : sql<boolean>`id < ${page.after[0] ?? 0}`;
