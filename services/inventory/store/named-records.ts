import assert from 'node:assert/strict';
import { behindKey } from '../../store/sql/page.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import type { NamedRecord } from '../domain/records.ts';
import type { CodeRecords, NamedRecords, PartitionFilter } from '../ports.ts';
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
  readonly table: 'partition_row' | 'capability' | 'resource_type' | 'distance_type';
  readonly kind: string;
  readonly collection: string;
};

const PARTITION: Noun = { table: 'partition_row', kind: 'partition', collection: 'partitions' };
const CAPABILITY: Noun = { table: 'capability', kind: 'capability', collection: 'capabilities' };
const RESOURCE_TYPE: Noun = {
  table: 'resource_type',
  kind: 'resource_type',
  collection: 'resourceTypes',
};
const DISTANCE_TYPE: Noun = {
  table: 'distance_type',
  kind: 'distance_type',
  collection: 'distanceTypes',
};

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
    save: async (tx, record) => {
      const { numUpdatedRows } = await db(tx)
        .updateTable(table)
        .set(headRow(record))
        .where('uid', '=', record.uid)
        .executeTakeFirstOrThrow();
      assert(numUpdatedRows === 1n);
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

const codeRecords = (noun: Noun, locks: Locks): CodeRecords => ({
  ...namedRecords<Record<never, never>>(noun, locks),
  insertMissing: async (tx, record) => {
    const { numInsertedOrUpdatedRows } = await db(tx)
      .insertInto(noun.table)
      .values(headRow(record))
      .onConflict((conflict) => conflict.column('id_key').doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 1n) tx.change({ kind: noun.kind, uid: record.uid });
  },
  keepAll: async (tx, codes) => {
    if (codes.length === 0) return [];
    const rows = await db(tx)
      .selectFrom(noun.table)
      .select(HEAD_COLUMNS)
      .where('id_key', 'in', [...codes])
      .orderBy('id_key')
      .modifyEnd(locks.forKeep)
      .execute();
    return rows.map(headOf);
  },
});

export const partitionRecords = (locks: Locks) => namedRecords<PartitionFilter>(PARTITION, locks);
export const capabilityRecords = (locks: Locks) => codeRecords(CAPABILITY, locks);
export const resourceTypeRecords = (locks: Locks) => codeRecords(RESOURCE_TYPE, locks);
export const distanceTypeRecords = (locks: Locks) => codeRecords(DISTANCE_TYPE, locks);
