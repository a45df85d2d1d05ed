import { type RawBuilder, sql } from 'kysely';
import type { Page } from '../../store/sql/page.ts';
import type { EventRecord } from '../domain/event.ts';
import type { EventRecords } from '../ports.ts';
import { below, db, keyOf, readDoc, within, writeDoc } from './rows.ts';

/** PostgreSQL takes 65 535 parameters in a statement, SQLite 32 766. */
const ROWS_PER_STATEMENT = 500;

const read = (row: { readonly doc: string }): EventRecord => readDoc<EventRecord>(row.doc, {});

export const eventRecords: EventRecords = {
  insert: async (tx, events) => {
    for (let at = 0; at < events.length; at += ROWS_PER_STATEMENT) {
      const part = events.slice(at, at + ROWS_PER_STATEMENT);
      await db(tx)
        .insertInto('event')
        .values(
          part.map((event) => ({
            uid: event.uid,
            partition_key: keyOf(event.partition),
            project_key: keyOf(event.project),
            target_uid: event.targetUid,
            record_ms: event.recordMs,
            doc: writeDoc(event),
          })),
        )
        .execute();
    }
    for (const event of events) {
      tx.change({
        kind: 'event',
        uid: event.uid,
        ...(event.project !== '' && { projectUid: event.project }),
      });
    }
  },
  list: async (reader, filter, page) => {
    let rows = db(reader)
      .selectFrom('event')
      .select(['id', 'doc'])
      .where(below(filter.parent))
      .where(within(filter.access))
      .where(behindNumber(page, filter.newestFirst));
    if (filter.targetUid !== '') rows = rows.where('target_uid', '=', filter.targetUid);
    const found = await rows
      .orderBy('id', filter.newestFirst ? 'desc' : 'asc')
      .limit(page.limit)
      .execute();
    return found.map((row) => ({ id: Number(row.id), event: read(row) }));
  },
  findMany: async (reader, uids, filter) => {
    if (uids.length === 0) return [];
    let rows = db(reader)
      .selectFrom('event')
      .select('doc')
      .where('uid', 'in', [...uids])
      .where(below(filter.parent))
      .where(within(filter.access));
    if (filter.targetUid !== '') rows = rows.where('target_uid', '=', filter.targetUid);
    return (await rows.orderBy('id').execute()).map(read);
  },
  inOrder: async (reader, uids) => {
    if (uids.length === 0) return [];
    const rows = db(reader)
      .selectFrom('event')
      .select('doc')
      .where('uid', 'in', [...uids]);
    return (await rows.orderBy('id').execute()).map(read);
  },
  since: async (reader, { recordMs, afterId, limit }) => {
    const rows = await db(reader)
      .selectFrom('event')
      .select(['id', 'doc'])
      .where('record_ms', '>=', recordMs)
      .where('id', '>', afterId)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ id: Number(row.id), event: read(row) }));
  },
  removeOld: async (tx, beforeMs, limit) => {
    const result = await db(tx)
      .deleteFrom('event')
      .where('id', 'in', (from) =>
        from.selectFrom('event').select('id').where('record_ms', '<', beforeMs).limit(limit),
      )
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  },
};

const behindNumber = (page: Page, newestFirst: boolean): RawBuilder<boolean> => {
  if (page.after === undefined) return sql<boolean>`1 = 1`;
  const [number] = page.after;
  return newestFirst ? sql<boolean>`id < ${number ?? 0}` : sql<boolean>`id > ${number ?? 0}`;
};
