import { behindKey } from '../../store/sql/page.ts';
import type { CapabilityRecord, PartitionRecord } from '../domain/records.ts';
import type { NamedRecords, PartitionFilter } from '../ports.ts';
import { among, called, db, HEAD_COLUMNS, headOf, headRow, insertUnique } from './rows.ts';

type Table = 'partition_row' | 'capability';

const namedRecords = <Filter extends Partial<PartitionFilter>>(
  table: Table,
  kind: string,
  collection: string,
): NamedRecords<PartitionRecord & CapabilityRecord, Filter> => ({
  insert: async (tx, record) => {
    const insert = db(tx).insertInto(table).values(headRow(record)).execute();
    await insertUnique(insert, `${collection}/${record.id}`);
    tx.change({ kind, uid: record.uid });
  },
  find: async (reader, idOrUid) => {
    const row = await db(reader)
      .selectFrom(table)
      .select(HEAD_COLUMNS)
      .where(called(idOrUid))
      .executeTakeFirst();
    return row && headOf(row);
  },
  list: async (reader, filter, page) => {
    const rows = await db(reader)
      .selectFrom(table)
      .select(HEAD_COLUMNS)
      .where(among('id_key', filter.only))
      .where(behindKey(['id_key'], page))
      .orderBy('id_key')
      .limit(page.limit)
      .execute();
    return rows.map(headOf);
  },
  remove: async (tx, { uid }) => {
    await db(tx).deleteFrom(table).where('uid', '=', uid).execute();
    tx.change({ kind, uid, deleted: true });
  },
});

export const partitionRecords = namedRecords<PartitionFilter>(
  'partition_row',
  'partition',
  'partitions',
);
export const capabilityRecords = namedRecords<Record<never, never>>(
  'capability',
  'capability',
  'capabilities',
);
