import type { ConsoleRecords } from '../console-ports.ts';
import { db } from './rows.ts';

export const consoleRecords: ConsoleRecords = {
  insert: async (tx, { uid, targetUid, replica, principal, sinceMs }) => {
    await db(tx)
      .insertInto('console_session')
      .values({ uid, target_uid: targetUid, replica, principal, since_ms: sinceMs })
      .execute();
  },
  remove: async (tx, uid) => {
    await db(tx).deleteFrom('console_session').where('uid', '=', uid).execute();
  },
  ofTarget: async (reader, targetUid) => {
    const rows = await db(reader)
      .selectFrom('console_session')
      .selectAll()
      .where('target_uid', '=', targetUid)
      .orderBy('id')
      .execute();
    return rows.map((row) => ({
      uid: row.uid,
      targetUid: row.target_uid,
      replica: row.replica,
      principal: row.principal,
      sinceMs: Number(row.since_ms),
    }));
  },
  lost: async (reader, replicas) => {
    const rows = await db(reader)
      .selectFrom('console_session')
      .select('uid')
      .where('replica', 'not in', [...replicas])
      .execute();
    return rows.map(({ uid }) => uid);
  },
};
