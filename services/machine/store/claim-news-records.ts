import { sql } from 'kysely';
import { LAST_OCCURRENCE } from '../domain/claim-news.ts';
import type { ClaimNewsRecords } from '../event-ports.ts';
import { db } from './rows.ts';

export const claimNewsRecords: ClaimNewsRecords = {
  told: async (reader, claimUid) => {
    const rows = await db(reader)
      .selectFrom('claim_news')
      .select('occurrence')
      .where('claim_uid', '=', claimUid)
      .execute();
    return new Set(rows.map(({ occurrence }) => occurrence));
  },
  insert: async (tx, { claimUid, occurrence, recordMs }) => {
    const { numInsertedOrUpdatedRows } = await db(tx)
      .insertInto('claim_news')
      .values({ claim_uid: claimUid, occurrence, record_ms: recordMs })
      .onConflict((conflict) => conflict.columns(['claim_uid', 'occurrence']).doNothing())
      .executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n;
  },
  removeEnded: async (tx, beforeMs, limit) => {
    const ended = await db(tx)
      .selectFrom('claim_news')
      .select('claim_uid')
      .where('occurrence', '=', LAST_OCCURRENCE)
      .where('record_ms', '<', beforeMs)
      .limit(limit)
      .execute();
    if (ended.length === 0) return 0;
    await db(tx)
      .deleteFrom('claim_news')
      .where(sql<boolean>`claim_uid in (${sql.join(ended.map((row) => row.claim_uid))})`)
      .execute();
    return ended.length;
  },
};
