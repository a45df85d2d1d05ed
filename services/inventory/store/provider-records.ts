import { aborted } from '../../runtime/errors.ts';
import { behindKey } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';
import type { ProviderRecords } from '../ports.ts';
import { among, called, db, HEAD_COLUMNS, headOf, headRow, insertUnique, keyOf } from './rows.ts';
import type { ProviderRow } from './tables.ts';

const COLUMNS = [...HEAD_COLUMNS, 'partition_id', 'generation', 'parent_uid'] as const;

type Stored = Pick<ProviderRow, (typeof COLUMNS)[number]>;

/** NICs and capabilities are read from the document; their tables are there to be searched. */
const read = (row: Stored): ProviderRecord => ({
  ...headOf(row),
  partition: row.partition_id,
  generation: Number(row.generation),
  parentUid: row.parent_uid,
  capabilities: [],
  nics: [],
});

const rowOf = (record: ProviderRecord) => ({
  ...headRow(record),
  partition_id: record.partition,
  partition_key: keyOf(record.partition),
  generation: record.generation,
  parent_uid: record.parentUid,
});

const writeParts = async (tx: Tx, record: ProviderRecord): Promise<void> => {
  const { uid } = record;
  if (record.nics.length > 0) {
    const rows = record.nics.map(({ label, mac }) => ({
      provider_uid: uid,
      partition_key: keyOf(record.partition),
      label,
      mac,
    }));
    await insertUnique(
      db(tx).insertInto('provider_nic').values(rows).execute(),
      providerName(record),
    );
  }
  if (record.capabilities.length > 0) {
    const rows = record.capabilities.map((code) => ({ provider_uid: uid, code }));
    await db(tx).insertInto('provider_capability').values(rows).execute();
  }
};

const removeParts = async (tx: Tx, uid: string): Promise<void> => {
  await db(tx).deleteFrom('provider_nic').where('provider_uid', '=', uid).execute();
  await db(tx).deleteFrom('provider_capability').where('provider_uid', '=', uid).execute();
};

export const providerRecords: ProviderRecords = {
  insert: async (tx, record) => {
    const insert = db(tx).insertInto('provider').values(rowOf(record)).execute();
    await insertUnique(insert, providerName(record));
    await writeParts(tx, record);
    tx.change({ kind: 'provider', uid: record.uid });
  },
  save: async (tx, record) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('provider')
      .set(rowOf(record))
      .where('uid', '=', record.uid)
      .where('version', '=', record.version - 1)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) {
      throw aborted(
        'ETAG_MISMATCH',
        `${providerName(record)} was changed meanwhile; read it again`,
      );
    }
    await removeParts(tx, record.uid);
    await writeParts(tx, record);
    tx.change({ kind: 'provider', uid: record.uid });
  },
  find: async (reader, partition, idOrUid) => {
    const row = await db(reader)
      .selectFrom('provider')
      .select(COLUMNS)
      .where('partition_key', '=', keyOf(partition))
      .where(called(idOrUid))
      .executeTakeFirst();
    return row && read(row);
  },
  byUids: async (reader, uids) => {
    if (uids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('provider')
      .select(COLUMNS)
      .where('uid', 'in', [...uids])
      .execute();
    return rows.map(read);
  },
  list: async (reader, filter, page) => {
    const only = filter.partition === '' ? filter.only : [filter.partition];
    const rows = await db(reader)
      .selectFrom('provider')
      .select([...COLUMNS, 'partition_key', 'id_key'])
      .where(among('partition_key', only))
      .where(behindKey(['partition_key', 'id_key'], page))
      .orderBy('partition_key')
      .orderBy('id_key')
      .limit(page.limit)
      .execute();
    return rows.map(read);
  },
  remove: async (tx, { uid }) => {
    await removeParts(tx, uid);
    await db(tx).deleteFrom('provider').where('uid', '=', uid).execute();
    tx.change({ kind: 'provider', uid, deleted: true });
  },
  countChildren: async (reader, uid) => {
    const { count } = await db(reader)
      .selectFrom('provider')
      .select((build) => build.fn.countAll<number>().as('count'))
      .where('parent_uid', '=', uid)
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  countInPartition: async (reader, partition) => {
    const { count } = await db(reader)
      .selectFrom('provider')
      .select((build) => build.fn.countAll<number>().as('count'))
      .where('partition_key', '=', keyOf(partition))
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  countWithCapability: async (reader, code) => {
    const { count } = await db(reader)
      .selectFrom('provider_capability')
      .select((build) => build.fn.countAll<number>().as('count'))
      .where('code', '=', code)
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  unknownCapabilities: async (reader, codes) => {
    if (codes.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('capability')
      .select('id_key')
      .where('id_key', 'in', [...codes])
      .execute();
    const known = new Set(rows.map((row) => row.id_key));
    return codes.filter((code) => !known.has(code));
  },
};
