import { behindKey } from '../../store/sql/page.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import type { NamedRecord } from '../domain/records.ts';
import type { CapabilityRecords, NamedRecords, PartitionFilter } from '../ports.ts';
import {
  among,
  called,
  db,
  HEAD_COLUMNS,
  headOf,
  headRow,
  insertUnique,
  type Locks,
} from './rows.ts';

type Noun = {
  readonly table: 'partition_row' | 'capability';
  readonly kind: string;
  readonly collection: string;
};

const PARTITION: Noun = { table: 'partition_row', kind: 'partition', collection: 'partitions' };
const CAPABILITY: Noun = { table: 'capability', kind: 'capability', collection: 'capabilities' };

const namedRecords = <Filter extends Partial<PartitionFilter>>(
  { table, kind, collection }: Noun,
  locks: Locks,
): NamedRecords<NamedRecord, Filter> => {
  const byName = (reader: Reader | Tx, idOrUid: string) =>
    db(reader).selectFrom(table).select(HEAD_COLUMNS).where(called(idOrUid));
  return {
    insert: async (tx, record) => {
      const insert = db(tx).insertInto(table).values(headRow(record)).execute();
      await insertUnique(insert, `${collection}/${record.id}`);
      tx.change({ kind, uid: record.uid });
    },
    find: async (reader, idOrUid) => {
      const row = await byName(reader, idOrUid).executeTakeFirst();
      return row && headOf(row);
    },
    lock: async (tx, idOrUid) => {
      const row = await byName(tx, idOrUid).modifyEnd(locks.forUpdate).executeTakeFirst();
      return row && headOf(row);
    },
    keep: async (tx, idOrUid) => {
      const row = await byName(tx, idOrUid).modifyEnd(locks.forKeep).executeTakeFirst();
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
  };
};

export const partitionRecords = (locks: Locks) => namedRecords<PartitionFilter>(PARTITION, locks);

export const capabilityRecords = (locks: Locks): CapabilityRecords => ({
  ...namedRecords<Record<never, never>>(CAPABILITY, locks),
  insertMissing: async (tx, record) => {
    const { numInsertedOrUpdatedRows } = await db(tx)
      .insertInto('capability')
      .values(headRow(record))
      .onConflict((conflict) => conflict.column('id_key').doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 1n) tx.change({ kind: CAPABILITY.kind, uid: record.uid });
  },
  keepAll: async (tx, codes) => {
    if (codes.length === 0) return [];
    const rows = await db(tx)
      .selectFrom('capability')
      .select('id_key')
      .where('id_key', 'in', [...codes])
      .orderBy('id_key')
      .modifyEnd(locks.forKeep)
      .execute();
    const known = new Set(rows.map((row) => row.id_key));
    return codes.filter((code) => !known.has(code));
  },
});
