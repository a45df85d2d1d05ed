import { sql } from 'kysely';
import type { Access } from '../../runtime/access.ts';
import { ANY } from '../../runtime/names.ts';
import { behindKey } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { agentKeyOf } from '../domain/capacity.ts';
import type { Agent, AgentRecords } from '../ports.ts';
import { db, keyOf, readDoc, writeDoc } from './rows.ts';

const rowOf = (agent: Agent) => ({
  version: agent.version,
  epoch: agent.epoch,
  replica: agent.replica,
  state: agent.state,
  last_sequence: agent.lastSequence,
  doc: writeDoc(agent),
});

type Stored = {
  readonly doc: string;
  readonly version: number;
  readonly epoch: number;
  readonly last_sequence: number;
};

const read = (row: Stored): Agent =>
  readDoc<Agent>(row.doc, {
    version: Number(row.version),
    epoch: Number(row.epoch),
    lastSequence: Number(row.last_sequence),
  });

const COLUMNS = ['doc', 'version', 'epoch', 'last_sequence'] as const;

const first = (row: Stored | undefined): Agent | undefined =>
  row === undefined ? undefined : read(row);

const changed = (tx: Tx, uid: string): void => tx.change({ kind: 'agent', uid });

export const agentRecords: AgentRecords = {
  insert: async (tx, agent) => {
    await db(tx)
      .insertInto('agent')
      .values({
        uid: agent.uid,
        partition_key: keyOf(agent.partition),
        agent_key: agentKeyOf(agent),
        ...rowOf(agent),
      })
      .execute();
    changed(tx, agent.uid);
  },
  remove: async (tx, uid) => {
    await db(tx).deleteFrom('agent').where('uid', '=', uid).execute();
    changed(tx, uid);
  },
  lock: async (tx, uid) =>
    first(
      await db(tx)
        .updateTable('agent')
        .set({ version: sql<number>`version + 1` })
        .where('uid', '=', uid)
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  save: async (tx, agent) => {
    await db(tx).updateTable('agent').set(rowOf(agent)).where('uid', '=', agent.uid).execute();
    changed(tx, agent.uid);
  },
  find: async (reader, uid) =>
    first(
      await db(reader)
        .selectFrom('agent')
        .select(COLUMNS)
        .where('uid', '=', uid)
        .executeTakeFirst(),
    ),
  findByKey: async (reader, agentKey) =>
    first(
      await db(reader)
        .selectFrom('agent')
        .select(COLUMNS)
        .where('agent_key', '=', keyOf(agentKey))
        .executeTakeFirst(),
    ),
  list: async (reader, { partition, access }, page) => {
    let rows = db(reader).selectFrom('agent').select(COLUMNS).where(inPartitions(access));
    if (partition !== ANY) rows = rows.where('partition_key', '=', keyOf(partition));
    const found = await rows
      .where(behindKey(['agent_key'], page))
      .orderBy('agent_key')
      .limit(page.limit)
      .execute();
    return found.map(read);
  },
  fence: async (tx, { uid, epoch, lastSequence }) => {
    const result = await db(tx)
      .updateTable('agent')
      .set({
        last_sequence: sql<number>`case when last_sequence < ${lastSequence}
        then ${lastSequence} else last_sequence end`,
      })
      .where('uid', '=', uid)
      .where('epoch', '=', epoch)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  },
  findMany: async (reader, uids) => {
    if (uids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('agent')
      .select(COLUMNS)
      .where('uid', 'in', [...uids])
      .execute();
    return rows.map(read);
  },
  findManyByKey: async (reader, agentKeys) => {
    if (agentKeys.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('agent')
      .select(COLUMNS)
      .where('agent_key', 'in', agentKeys.map(keyOf))
      .execute();
    return rows.map(read);
  },
  upElsewhere: async (reader, replicas, limit) => {
    const rows = await db(reader)
      .selectFrom('agent')
      .select(['uid', 'epoch'])
      .where('state', 'in', ['up', 'drained'])
      .where('replica', 'not in', [...replicas])
      .limit(limit)
      .execute();
    return rows.map((row) => ({ uid: row.uid, epoch: Number(row.epoch) }));
  },
};

/** Agents belong to a partition and to no project. */
const inPartitions = (access: Access) => {
  if (access.everything) return sql<boolean>`1 = 1`;
  const keys = [...access.partitions].map(keyOf);
  return keys.length === 0
    ? sql<boolean>`1 = 0`
    : sql<boolean>`partition_key in (${sql.join(keys)})`;
};
