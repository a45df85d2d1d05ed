import { type Selectable, sql } from 'kysely';
import type { HardwareTask } from '../domain/hardware-task.ts';
import type { TaskRecords } from '../hardware-ports.ts';
import { db, readDoc, writeDoc } from './rows.ts';
import type { HardwareTaskRow } from './tables.ts';

/** Stands for a worker that died. */
const ORPHAN = 'nobody';

const rowOf = (task: HardwareTask) => ({
  done: task.endMs === null ? 0 : 1,
  wake_ms: task.wakeMs,
  end_ms: task.endMs,
  doc: writeDoc(task),
});

const read = ({ doc }: Pick<Selectable<HardwareTaskRow>, 'doc'>): HardwareTask =>
  readDoc<HardwareTask>(doc, {});

export const taskRecords: TaskRecords = {
  insert: async (tx, task) => {
    const { numInsertedOrUpdatedRows } = await db(tx)
      .insertInto('hardware_task')
      .values({
        uid: task.uid,
        kind: task.kind,
        provider_uid: task.providerUid,
        subject: task.subject,
        owner: null,
        lease_epoch: 0,
        lease_until_ms: 0,
        ...rowOf(task),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    const isNew = numInsertedOrUpdatedRows === 1n;
    if (isNew) tx.change({ kind: 'hardware_task', uid: task.uid });
    return isNew;
  },
  find: async (reader, uid) => {
    const row = await db(reader)
      .selectFrom('hardware_task')
      .select('doc')
      .where('uid', '=', uid)
      .executeTakeFirst();
    return row === undefined ? undefined : read(row);
  },
  open: async (reader, providerUids) => {
    if (providerUids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('hardware_task')
      .select('doc')
      .where('provider_uid', 'in', [...providerUids])
      .where('done', '=', 0)
      .orderBy('id')
      .execute();
    return rows.map(read);
  },
  due: async (reader, nowMs, limit) => {
    const rows = await db(reader)
      .selectFrom('hardware_task')
      .select('uid')
      .where('done', '=', 0)
      .where('wake_ms', '<=', nowMs)
      .where('lease_until_ms', '<=', nowMs)
      .orderBy('wake_ms')
      .limit(limit)
      .execute();
    return rows.map(({ uid }) => uid);
  },
  lease: async (tx, { uid, owner, untilMs, nowMs }) => {
    const row = await db(tx)
      .updateTable('hardware_task')
      .set({ owner, lease_epoch: sql<number>`lease_epoch + 1`, lease_until_ms: untilMs })
      .where('uid', '=', uid)
      .where('done', '=', 0)
      .where('lease_until_ms', '<=', nowMs)
      .returning(['doc', 'lease_epoch'])
      .executeTakeFirst();
    return row === undefined ? undefined : { task: read(row), epoch: Number(row.lease_epoch) };
  },
  save: async (tx, task, { lease, untilMs }) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('hardware_task')
      .set({ ...rowOf(task), lease_until_ms: untilMs, ...(untilMs === 0 && { owner: null }) })
      .where('uid', '=', task.uid)
      .where('done', '=', 0)
      .where('owner', '=', lease.owner)
      .where('lease_epoch', '=', lease.epoch)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    tx.change({ kind: 'hardware_task', uid: task.uid });
    return true;
  },
  extend: async (tx, { uid, lease, untilMs }) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('hardware_task')
      .set({ lease_until_ms: untilMs })
      .where('uid', '=', uid)
      .where('done', '=', 0)
      .where('owner', '=', lease.owner)
      .where('lease_epoch', '=', lease.epoch)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  },
  cancel: async (tx, { providerUid, kinds, failure, nowMs, mayBeOrphan }) => {
    const rows = await db(tx)
      .selectFrom('hardware_task')
      .select('doc')
      .where('provider_uid', '=', providerUid)
      .where('kind', 'in', [...kinds])
      .where('done', '=', 0)
      .execute();
    const ended = rows.map(read).map((task) => ({ ...task, endMs: nowMs, failure }));
    for (const task of ended) {
      await db(tx)
        .updateTable('hardware_task')
        .set({ ...rowOf(task), lease_epoch: sql<number>`lease_epoch + 1`, lease_until_ms: 0 })
        .$if(mayBeOrphan(task), (row) =>
          row.set({ owner: sql<string>`coalesce(owner, ${ORPHAN})` }),
        )
        .where('uid', '=', task.uid)
        .where('done', '=', 0)
        .execute();
      tx.change({ kind: 'hardware_task', uid: task.uid });
    }
    return ended;
  },
  letGo: async (tx, { uid, owner }) => {
    await db(tx)
      .updateTable('hardware_task')
      .set({ owner: null })
      .where('uid', '=', uid)
      .where('owner', '=', owner)
      .where('done', '=', 1)
      .execute();
  },
  notLetGo: async (reader, { providerUid, sinceMs }) => {
    const rows = await db(reader)
      .selectFrom('hardware_task')
      .select('doc')
      .where('provider_uid', '=', providerUid)
      .where('end_ms', '>', sinceMs)
      .where('owner', 'is not', null)
      .execute();
    return rows.map(read);
  },
  removeEnded: async (tx, beforeMs, limit) => {
    const rows = await db(tx)
      .selectFrom('hardware_task')
      .select('id')
      .where('end_ms', '<', beforeMs)
      .limit(limit)
      .execute();
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await db(tx).deleteFrom('hardware_task').where('id', 'in', ids).execute();
    return ids.length;
  },
};
