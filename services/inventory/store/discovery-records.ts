import { type RawBuilder, sql } from 'kysely';
import { behindKey } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import {
  type DiscoveryRecord,
  type DiscoveryState,
  keyOf,
  placedChangeKind,
} from '../domain/records.ts';
import type { DiscoveryRecords } from '../ports.ts';
import { chunksOf } from './chunks.ts';
import { among, called, db, HEAD_COLUMNS, headOf, headRow, type Locks } from './rows.ts';
import type { DiscoveryRow } from './tables.ts';

const COLUMNS = [...HEAD_COLUMNS, 'partition_id', 'state'] as const;

type Stored = Pick<DiscoveryRow, (typeof COLUMNS)[number]>;

const STATES: readonly DiscoveryState[] = ['proposed', 'accepted', 'rejected'];

const read = (row: Stored): DiscoveryRecord => ({
  ...headOf(row),
  partition: row.partition_id,
  state: STATES.find((state) => state === row.state) ?? 'proposed',
});

const rowOf = (record: DiscoveryRecord) => ({
  ...headRow(record),
  partition_id: record.partition,
  partition_key: keyOf(record.partition),
  state: record.state,
});

const changeOf = ({ uid, partition }: DiscoveryRecord) => ({
  kind: placedChangeKind('discovery', partition),
  uid,
});

const ROW_COLUMNS = 11;

export const discoveryRecords = (locks: Locks): DiscoveryRecords => ({
  writeAll: async (tx, writes) => {
    const added = writes.filter(({ isNew }) => isNew).map(({ record }) => rowOf(record));
    for (const chunk of chunksOf(added, ROW_COLUMNS)) {
      await db(tx)
        .insertInto('discovery')
        .values([...chunk])
        .execute();
    }
    for (const { record, isNew } of writes) {
      if (!isNew) await update(tx, record);
      tx.change(changeOf(record));
    }
  },
  find: async (reader, partition, idOrUid) => {
    const row = await db(reader)
      .selectFrom('discovery')
      .select(COLUMNS)
      .where(at(partition, idOrUid))
      .executeTakeFirst();
    return row && read(row);
  },
  lock: async (tx, partition, idOrUid) => {
    const row = await db(tx)
      .selectFrom('discovery')
      .select(COLUMNS)
      .where(at(partition, idOrUid))
      .modifyEnd(locks.forUpdate)
      .executeTakeFirst();
    return row && read(row);
  },
  lockAll: async (tx, partition, ids) => {
    const rows = await db(tx)
      .selectFrom('discovery')
      .select(COLUMNS)
      .where('partition_key', '=', keyOf(partition))
      .where('id_key', 'in', ids.map(keyOf))
      .orderBy('id_key')
      .modifyEnd(locks.forUpdate)
      .execute();
    return rows.map(read);
  },
  list: async (reader, { only, state }, page) => {
    const rows = db(reader)
      .selectFrom('discovery')
      .select(COLUMNS)
      .where(among('partition_key', only))
      .where(behindKey(['partition_key', 'id_key'], page))
      .orderBy('partition_key')
      .orderBy('id_key')
      .limit(page.limit);
    const those = state === undefined ? rows : rows.where('state', '=', state);
    return (await those.execute()).map(read);
  },
  remove: async (tx, record) => {
    await db(tx).deleteFrom('discovery').where('uid', '=', record.uid).execute();
    tx.change({ ...changeOf(record), deleted: true });
  },
  removeUnseen: async (tx, beforeMs, limit) => {
    const rows = await db(tx)
      .selectFrom('discovery')
      .select(COLUMNS)
      .where('state', '=', 'proposed')
      .where('update_ms', '<', beforeMs)
      .limit(limit)
      .modifyEnd(locks.forUpdate)
      .execute();
    if (rows.length === 0) return 0;
    const uids = rows.map(({ uid }) => uid);
    await db(tx).deleteFrom('discovery').where('uid', 'in', uids).execute();
    for (const row of rows) tx.change({ ...changeOf(read(row)), deleted: true });
    return rows.length;
  },
  removeInPartition: async (tx, partition) => {
    await db(tx).deleteFrom('discovery').where('partition_key', '=', keyOf(partition)).execute();
  },
});

const at = (partition: string, idOrUid: string): RawBuilder<boolean> =>
  sql<boolean>`partition_key = ${keyOf(partition)} and ${called(idOrUid)}`;

const update = async (tx: Tx, record: DiscoveryRecord): Promise<void> => {
  await db(tx).updateTable('discovery').set(rowOf(record)).where('uid', '=', record.uid).execute();
};
