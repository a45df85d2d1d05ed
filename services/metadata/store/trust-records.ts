import type { Reader, Transactions } from '../../store/sql/transaction.ts';
import type { AuthorityRecord, AuthorityVault, BootstrapRecords } from '../ports.ts';
import { db, readDoc, writeDoc } from './rows.ts';

export const bootstrapRecords: BootstrapRecords = {
  burn: async (tx, hash, nowMs) => {
    const result = await db(tx)
      .insertInto('bootstrap')
      .values({ hash, burned_ms: nowMs })
      .onConflict((conflict) => conflict.column('hash').doNothing())
      .executeTakeFirst();
    return result.numInsertedOrUpdatedRows === 1n;
  },
};

/** The CA's rows, each in a transaction of its own: they are read before anything is served. */
export const authorityVault = (store: Transactions): AuthorityVault => ({
  all: () => store.read(all),
  insertFirst: (record) =>
    store.transaction(undefined, { principal: 'services/metadata', requestId: '' }, async (tx) => {
      const result = await db(tx)
        .insertInto('authority')
        .values({ uid: record.uid, slot: 'root', doc: writeDoc(record) })
        .onConflict((conflict) => conflict.column('slot').doNothing())
        .executeTakeFirst();
      if (result.numInsertedOrUpdatedRows !== 1n) return;
      tx.audit({
        action: 'authority.create',
        objectKind: 'authority',
        objectUid: record.uid,
        objectName: 'authority',
        after: { certificatePem: record.certificatePem },
      });
    }),
});

const all = async (reader: Reader): Promise<readonly AuthorityRecord[]> => {
  const rows = await db(reader)
    .selectFrom('authority')
    .select('doc')
    .orderBy('id', 'desc')
    .execute();
  return rows.map(({ doc }) => readDoc<AuthorityRecord>(doc, {}));
};
