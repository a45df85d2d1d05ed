import { isUid } from '../../runtime/names.ts';
import { type AgentRecord, agentName } from '../domain/certificate.ts';
import type { AgentRecords } from '../ports.ts';
import { db, insertNamed, keyOf, readDoc, writeDoc } from './rows.ts';

const COLUMNS = ['doc', 'revoked_ms'] as const;

type Stored = { readonly doc: string; readonly revoked_ms: number };

const read = ({ doc, revoked_ms }: Stored): AgentRecord =>
  readDoc<AgentRecord>(doc, { revokedMs: Number(revoked_ms) });

const first = (row: Stored | undefined) => (row === undefined ? undefined : read(row));

export const agentRecords: AgentRecords = {
  insert: async (tx, agent) => {
    const insert = db(tx)
      .insertInto('agent')
      .values({
        uid: agent.uid,
        partition_key: keyOf(agent.partition),
        agent_key: keyOf(agent.agentId),
        revoked_ms: agent.revokedMs,
        doc: writeDoc(agent),
      })
      .execute();
    await insertNamed(insert, agentName(agent), 'agent_key');
    tx.change({ kind: 'agent', uid: agent.uid });
  },
  find: async (reader, uid) =>
    first(
      await db(reader)
        .selectFrom('agent')
        .select(COLUMNS)
        .where('uid', '=', uid.toLowerCase())
        .executeTakeFirst(),
    ),
  findByName: async (reader, partition, idOrUid) => {
    const rows = db(reader)
      .selectFrom('agent')
      .select(COLUMNS)
      .where('partition_key', '=', keyOf(partition));
    if (isUid(idOrUid)) {
      const byUid = await rows.where('uid', '=', idOrUid.toLowerCase()).executeTakeFirst();
      if (byUid !== undefined) return read(byUid);
    }
    const named = await rows.where('agent_key', '=', keyOf(idOrUid)).execute();
    // There are few of a name: one for each time that it was revoked.
    return named
      .map(read)
      .toSorted((a, b) => (a.revokedMs || Infinity) - (b.revokedMs || Infinity))
      .at(-1);
  },
  revoke: async (tx, { uid }, nowMs) => {
    await db(tx)
      .updateTable('agent')
      .set({ revoked_ms: nowMs })
      .where('uid', '=', uid)
      .where('revoked_ms', '=', 0)
      .execute();
    tx.change({ kind: 'agent', uid });
  },
  revokedSince: async (reader, sinceMs, limit) => {
    const rows = await db(reader)
      .selectFrom('agent')
      .select(COLUMNS)
      .where('revoked_ms', '>', Math.max(0, sinceMs))
      .orderBy('revoked_ms', 'desc')
      .limit(limit)
      .execute();
    return rows.map(read);
  },
};
