import type { SinkCursor } from '../domain/sink.ts';
import type { SinkRecords } from '../event-ports.ts';
import { db, readDoc, writeDoc } from './rows.ts';

export const sinkRecords: SinkRecords = {
  hold: async (tx, { sink, owner, untilMs, nowMs, first }) => {
    await db(tx)
      .insertInto('event_sink')
      .values({ sink_key: sink, owner, lease_until_ms: 0, doc: writeDoc(first) })
      .onConflict((conflict) => conflict.column('sink_key').doNothing())
      .execute();
    const row = await db(tx)
      .updateTable('event_sink')
      .set({ owner, lease_until_ms: untilMs })
      .where('sink_key', '=', sink)
      .where((where) => where.or([where('owner', '=', owner), where('lease_until_ms', '<', nowMs)]))
      .returning('doc')
      .executeTakeFirst();
    if (row === undefined) return undefined;
    // 0.1.0 set nothing aside.
    return { waiting: [], ...readDoc<Omit<SinkCursor, 'waiting'>>(row.doc, {}) };
  },
  save: async (tx, { sink, owner, untilMs, cursor }) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('event_sink')
      .set({ lease_until_ms: untilMs, doc: writeDoc(cursor) })
      .where('sink_key', '=', sink)
      .where('owner', '=', owner)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  },
  release: async (tx, { sink, owner }) => {
    await db(tx)
      .updateTable('event_sink')
      .set({ lease_until_ms: 0 })
      .where('sink_key', '=', sink)
      .where('owner', '=', owner)
      .execute();
  },
};
