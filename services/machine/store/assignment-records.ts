import { sql } from 'kysely';
import type { Tx } from '../../store/sql/transaction.ts';
import type { AssignmentRecords, AssignmentRow } from '../ports.ts';
import { db, keyOf } from './rows.ts';
import type { AssignmentTableRow } from './tables.ts';

const read = (row: Omit<AssignmentTableRow, 'id'>): AssignmentRow => ({
  uid: row.uid,
  incarnation: Number(row.incarnation),
  generation: Number(row.generation),
  digest: row.digest,
  partition: row.partition_key,
  providerUid: row.provider_uid,
  agentKey: row.agent_key,
  absent: Number(row.absent) === 1,
  gone: Number(row.gone) === 1,
  isServer: Number(row.server) === 1,
  digests: row.digests === '' ? [] : row.digests.split(','),
  secrets: row.secrets === '' ? [] : row.secrets.split(','),
  bytes: row.bytes,
});

const rowOf = (row: AssignmentRow) => ({
  uid: row.uid,
  partition_key: keyOf(row.partition),
  provider_uid: row.providerUid,
  agent_key: row.agentKey,
  incarnation: row.incarnation,
  generation: row.generation,
  digest: row.digest,
  absent: row.absent ? 1 : 0,
  gone: row.gone ? 1 : 0,
  server: row.isServer ? 1 : 0,
  digests: row.digests.join(','),
  secrets: row.secrets.join(','),
  bytes: row.bytes,
});

/** All of the row but whose it is. */
const ANEW = [
  ...['partition_key', 'provider_uid', 'agent_key', 'incarnation', 'generation', 'digest'],
  ...['absent', 'gone', 'server', 'digests', 'secrets', 'bytes'],
];
const anew = Object.fromEntries(ANEW.map((name) => [name, sql.ref(`excluded.${name}`)]));

const changed = (tx: Tx, uid: string): void => tx.change({ kind: 'assignment', uid });

export const assignmentRecords: AssignmentRecords = {
  put: async (tx, ...rows) => {
    if (rows.length === 0) return;
    await db(tx)
      .insertInto('assignment')
      .values(rows.map(rowOf))
      .onConflict((conflict) => conflict.column('uid').doUpdateSet(anew))
      .execute();
    for (const row of rows) changed(tx, row.uid);
  },
  find: async (reader, uid) => {
    const row = await db(reader)
      .selectFrom('assignment')
      .selectAll()
      .where('uid', '=', uid)
      .executeTakeFirst();
    return row === undefined ? undefined : read(row);
  },
  findMany: async (reader, uids) => {
    if (uids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('assignment')
      .selectAll()
      .where('uid', 'in', [...uids])
      .execute();
    return rows.map(read);
  },
  ofAgent: async (reader, agentKey) => {
    const rows = await db(reader)
      .selectFrom('assignment')
      .selectAll()
      .where('agent_key', '=', agentKey)
      .execute();
    return rows.map(read);
  },
  markGone: async (tx, uid) => {
    const result = await db(tx)
      .updateTable('assignment')
      .set({ gone: 1 })
      .where('uid', '=', uid)
      .where('absent', '=', 1)
      .where('gone', '=', 0)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  },
  namesDigest: async (reader, agentKey, sha256) => {
    const row = await db(reader)
      .selectFrom('assignment')
      .select('uid')
      .where('agent_key', '=', agentKey)
      .where('absent', '=', 0)
      .where('digests', 'like', `%${sha256}%`)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  },
  namesSecret: async (reader, agentKey, secret) => {
    // One that is to be gone counts: an agent that was started anew has to switch it off yet.
    const rows = await db(reader)
      .selectFrom('assignment')
      .select('secrets')
      .where('agent_key', '=', agentKey)
      .where('gone', '=', 0)
      .where('secrets', 'like', `%${secret}%`)
      .execute();
    // A "_" in the name stands for any letter above.
    return rows.some((row) => row.secrets.split(',').includes(secret));
  },
  remove: async (tx, uids) => {
    if (uids.length === 0) return;
    await db(tx)
      .deleteFrom('assignment')
      .where('uid', 'in', [...uids])
      .execute();
  },
  addresses: async (reader) => {
    const rows = await db(reader)
      .selectFrom('assignment')
      .select(['provider_uid', 'agent_key'])
      .distinct()
      .where('gone', '=', 0)
      .where('server', '=', 0)
      .execute();
    return rows.map((row) => ({ providerUid: row.provider_uid, agentKey: row.agent_key }));
  },
  ofProvider: async (reader, providerUid) => {
    const rows = await db(reader)
      .selectFrom('assignment')
      .selectAll()
      .where('provider_uid', '=', providerUid)
      .where('gone', '=', 0)
      .execute();
    return rows.map(read);
  },
  moveServers: async (tx, { providerUid, agentKey }) => {
    const rows = await db(tx)
      .updateTable('assignment')
      .set({ agent_key: agentKey })
      .where('provider_uid', '=', providerUid)
      .where('server', '=', 1)
      .where('gone', '=', 0)
      .where('agent_key', '!=', agentKey)
      .returning('uid')
      .execute();
    for (const row of rows) changed(tx, row.uid);
  },
  readdress: async (tx, { providerUid, pool, agentKey }) => {
    const rows = await db(tx)
      .updateTable('assignment')
      .set({ agent_key: agentKey })
      .where('provider_uid', '=', providerUid)
      .where('server', '=', 0)
      .where('agent_key', 'not in', [...pool])
      .returning('uid')
      .execute();
    for (const row of rows) changed(tx, row.uid);
    return rows.length;
  },
};
