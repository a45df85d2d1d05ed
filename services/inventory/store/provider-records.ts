import assert from 'node:assert/strict';
import { type RawBuilder, sql } from 'kysely';
import { isUid } from '../../runtime/names.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { keyOf, type ProviderRecord, providerName } from '../domain/records.ts';
import type { ProviderRecords } from '../ports.ts';
import { claimObserved, saveObserved, writeProviders } from './provider-bulk.ts';
import { removeIdentifiers } from './provider-identifiers.ts';
import {
  addTerms,
  removeGroupTerm,
  removeParts,
  setResourceTerms,
  writeParts,
} from './provider-parts.ts';
import { byName, byUid, COLUMNS, changeOf, generationsOf, read, rowOf } from './provider-rows.ts';
import { providerSearches } from './provider-search.ts';
import { db, insertUnique, type Locks } from './rows.ts';

export const providerRecords = (locks: Locks): ProviderRecords => ({
  ...providerSearches,
  ...writes,
  ...locking(locks),
});

const writes = {
  insert: async (tx, record, parts) => {
    const insert = db(tx).insertInto('provider').values(rowOf(record)).execute();
    await insertUnique(insert, providerName(record));
    await writeParts(tx, { record, isNew: true }, parts);
    tx.change(changeOf(record));
  },
  save: async (tx, record, parts) => {
    await update(tx, record.uid, rowOf(record));
    await removeParts(tx, [record.uid]);
    await writeParts(tx, { record, isNew: false }, parts);
    tx.change(changeOf(record));
  },
  writeAll: writeProviders,
  claimObserved,
  saveObserved,
  saveReservation: (tx, record) => update(tx, record.uid, generationsOf(record)),
  saveGeneration: async (tx, record) => {
    await update(tx, record.uid, generationsOf(record));
    tx.change(changeOf(record));
  },
  saveRoot: async (tx, { uid, rootUid, partition }) => {
    await update(tx, uid, { root_uid: rootUid });
    tx.change(changeOf({ uid, partition }));
  },
  saveMembership: async (tx, records, { group, isMember }) => {
    for (const record of records) {
      await update(tx, record.uid, rowOf(record));
      tx.change(changeOf(record));
    }
    if (isMember) await addTerms(tx, records, [['group', group]]);
    else await removeGroupTerm(tx, records, group);
  },
  addTerms: (tx, record, terms) => addTerms(tx, [record], terms),
  saveReshaped: async (tx, record, resourceTypes) => {
    await update(tx, record.uid, rowOf(record));
    await setResourceTerms(tx, record, resourceTypes);
    tx.change(changeOf(record));
  },
  setResourceTerms,
  removeAll: async (tx, records) => {
    if (records.length === 0) return;
    const uids = records.map(({ uid }) => uid);
    await removeParts(tx, uids);
    await removeIdentifiers(tx, uids);
    await db(tx).deleteFrom('provider').where('uid', 'in', uids).execute();
    for (const record of records) tx.change({ ...changeOf(record), deleted: true });
  },
} satisfies Partial<ProviderRecords>;

const locking = (locks: Locks) =>
  ({
    lock: async (tx, partition, idOrUid) => {
      const row = await byName(tx, partition, idOrUid)
        .modifyEnd(locks.forUpdate)
        .executeTakeFirst();
      return row && read(row);
    },
    lockUid: async (tx, uid) => {
      const row = await byUid(tx, uid).modifyEnd(locks.forUpdate).executeTakeFirst();
      return row && read(row);
    },
    lockAll: (tx, partition, idsOrUids) =>
      lockWhere(tx, locks, amongNames(keyOf(partition), idsOrUids)),
    lockUids: async (tx, uids) =>
      uids.length === 0 ? [] : lockWhere(tx, locks, sql<boolean>`uid in (${sql.join([...uids])})`),
    keep: async (tx, partition, idOrUid) => {
      const row = await byName(tx, partition, idOrUid).modifyEnd(locks.forKeep).executeTakeFirst();
      return row && read(row);
    },
    keepUid: async (tx, uid) => {
      const row = await byUid(tx, uid).modifyEnd(locks.forKeep).executeTakeFirst();
      return row && read(row);
    },
  }) satisfies Partial<ProviderRecords>;

/** In the order of uids, so that two who lock several never wait for each other. */
const lockWhere = async (
  tx: Tx,
  locks: Locks,
  condition: RawBuilder<boolean>,
): Promise<readonly ProviderRecord[]> => {
  const rows = await db(tx)
    .selectFrom('provider')
    .select(COLUMNS)
    .where(condition)
    .orderBy('uid')
    .modifyEnd(locks.forUpdate)
    .execute();
  return rows.map(read);
};

const amongNames = (partition: string, idsOrUids: readonly string[]): RawBuilder<boolean> => {
  const keys = idsOrUids.map(keyOf);
  const uids = keys.filter(isUid);
  const ids = keys.filter((key) => !isUid(key));
  const byId = ids.length === 0 ? sql<boolean>`1 = 0` : sql<boolean>`id_key in (${sql.join(ids)})`;
  const byUids = uids.length === 0 ? sql<boolean>`1 = 0` : sql<boolean>`uid in (${sql.join(uids)})`;
  return sql<boolean>`partition_key = ${partition} and (${byId} or ${byUids})`;
};

/** The caller has locked the row, so it is there. */
const update = async (
  tx: Tx,
  uid: string,
  values: Partial<ReturnType<typeof rowOf>>,
): Promise<void> => {
  const { numUpdatedRows } = await db(tx)
    .updateTable('provider')
    .set(values)
    .where('uid', '=', uid)
    .executeTakeFirstOrThrow();
  assert(numUpdatedRows === 1n);
};
