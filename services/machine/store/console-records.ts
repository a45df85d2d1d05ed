import type { ConsoleRecords, ConsoleTokenRecords } from '../console-ports.ts';
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

export const consoleTokenRecords: ConsoleTokenRecords = {
  insert: async (tx, { hash, machineUid, readOnly, principal, untilMs }) => {
    const row = { hash, machine_uid: machineUid, principal, until_ms: untilMs };
    await db(tx)
      .insertInto('console_token')
      .values({ ...row, read_only: readOnly ? 1 : 0 })
      .execute();
  },
  find: async (reader, hash) => {
    const row = await db(reader)
      .selectFrom('console_token')
      .selectAll()
      .where('hash', '=', hash)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return {
      hash: row.hash,
      machineUid: row.machine_uid,
      readOnly: Number(row.read_only) === 1,
      principal: row.principal,
      untilMs: Number(row.until_ms),
    };
  },
  removeExpired: async (tx, beforeMs) => {
    await db(tx).deleteFrom('console_token').where('until_ms', '<', beforeMs).execute();
  },
};
