import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { alreadyExists } from '../../runtime/errors.ts';
import { behindKey } from '../../store/sql/page.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import {
  keyOf,
  type ProviderParts,
  type ProviderRecord,
  providerChangeKind,
  providerName,
} from '../domain/records.ts';
import type { ProviderRecords } from '../ports.ts';
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
import type { InventoryTables, ProviderRow } from './tables.ts';

const COLUMNS = [
  ...HEAD_COLUMNS,
  'partition_id',
  'generation',
  'parent_uid',
  'reserved_generation',
  'reserve_holder',
  'reserve_ms',
] as const;

type Stored = Pick<ProviderRow, (typeof COLUMNS)[number]>;

const read = (row: Stored): ProviderRecord => ({
  ...headOf(row),
  partition: row.partition_id,
  generation: Number(row.generation),
  parentUid: row.parent_uid,
  reserved: {
    generation: Number(row.reserved_generation),
    holder: row.reserve_holder,
    sinceMs: Number(row.reserve_ms),
  },
});

const generationsOf = ({ generation, reserved }: ProviderRecord) => ({
  generation,
  reserved_generation: reserved.generation,
  reserve_holder: reserved.holder,
  reserve_ms: reserved.sinceMs,
});

const rowOf = (record: ProviderRecord) => ({
  ...headRow(record),
  ...generationsOf(record),
  partition_id: record.partition,
  partition_key: keyOf(record.partition),
  parent_uid: record.parentUid,
});

export const providerRecords = (locks: Locks): ProviderRecords => ({
  ...searches,
  insert: async (tx, record, parts) => {
    const insert = db(tx).insertInto('provider').values(rowOf(record)).execute();
    await insertUnique(insert, providerName(record));
    await writeParts(tx, record, parts);
    tx.change(changeOf(record));
  },
  save: async (tx, record, parts) => {
    await update(tx, record.uid, rowOf(record));
    await removeParts(tx, record.uid);
    await writeParts(tx, record, parts);
    tx.change(changeOf(record));
  },
  saveReservation: (tx, record) => update(tx, record.uid, generationsOf(record)),
  saveGeneration: async (tx, record) => {
    await update(tx, record.uid, generationsOf(record));
    tx.change(changeOf(record));
  },
  remove: async (tx, record) => {
    await removeParts(tx, record.uid);
    await db(tx).deleteFrom('provider').where('uid', '=', record.uid).execute();
    tx.change({ ...changeOf(record), deleted: true });
  },
  lock: async (tx, partition, idOrUid) => {
    const row = await byName(tx, partition, idOrUid).modifyEnd(locks.forUpdate).executeTakeFirst();
    return row && read(row);
  },
  lockUid: async (tx, uid) => {
    const row = await byUid(tx, uid).modifyEnd(locks.forUpdate).executeTakeFirst();
    return row && read(row);
  },
  keep: async (tx, partition, idOrUid) => {
    const row = await byName(tx, partition, idOrUid).modifyEnd(locks.forKeep).executeTakeFirst();
    return row && read(row);
  },
  keepUid: async (tx, uid) => {
    const row = await byUid(tx, uid).modifyEnd(locks.forKeep).executeTakeFirst();
    return row && read(row);
  },
});

const changeOf = ({ uid, partition }: ProviderRecord) => ({
  kind: providerChangeKind(partition),
  uid,
});

const byName = (reader: Reader | Tx, partition: string, idOrUid: string) =>
  db(reader)
    .selectFrom('provider')
    .select(COLUMNS)
    .where('partition_key', '=', keyOf(partition))
    .where(called(idOrUid));

const byUid = (reader: Reader | Tx, uid: string) =>
  db(reader).selectFrom('provider').select(COLUMNS).where('uid', '=', uid);

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

const writeParts = async (
  tx: Tx,
  record: ProviderRecord,
  { nics, capabilities }: ProviderParts,
): Promise<void> => {
  const { uid } = record;
  if (nics.length > 0) {
    await demandFreeMacs(tx, record, nics);
    const rows = nics.map(({ label, mac }) => ({
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
  if (capabilities.length > 0) {
    const rows = capabilities.map((code) => ({ provider_uid: uid, code }));
    await db(tx).insertInto('provider_capability').values(rows).execute();
  }
};

/** Says which address is whose; the unique index holds where two write at once. */
const demandFreeMacs = async (
  tx: Tx,
  record: ProviderRecord,
  nics: ProviderParts['nics'],
): Promise<void> => {
  const macs = nics.map(({ mac }) => mac).filter((mac) => mac !== '');
  if (macs.length === 0) return;
  const taken = await db(tx)
    .selectFrom('provider_nic')
    .innerJoin('provider', 'provider.uid', 'provider_nic.provider_uid')
    .select(['provider_nic.mac', 'provider.name_id', 'provider.partition_id'])
    .where('provider_nic.partition_key', '=', keyOf(record.partition))
    .where('provider_nic.mac', 'in', macs)
    .executeTakeFirst();
  if (taken === undefined) return;
  const name = providerName(record);
  const holder = providerName({ partition: taken.partition_id, id: taken.name_id });
  throw alreadyExists(
    'ALREADY_EXISTS',
    `Cannot write ${name}: ${holder} has the MAC address ${taken.mac}`,
    { metadata: { name, field: 'spec.nics.mac', mac: taken.mac, holder } },
  );
};

const removeParts = async (tx: Tx, uid: string): Promise<void> => {
  await db(tx).deleteFrom('provider_nic').where('provider_uid', '=', uid).execute();
  await db(tx).deleteFrom('provider_capability').where('provider_uid', '=', uid).execute();
};

const countWhere = async (
  reader: Reader,
  column: 'parent_uid' | 'partition_key',
  value: string,
): Promise<number> => {
  const { count } = await db(reader)
    .selectFrom('provider')
    .select((build) => build.fn.countAll<number>().as('count'))
    .where(column, '=', value)
    .executeTakeFirstOrThrow();
  return Number(count);
};

const searches = {
  find: async (reader, partition, idOrUid) => {
    const row = await byName(reader, partition, idOrUid).executeTakeFirst();
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
    const rows = await db(reader)
      .selectFrom('provider')
      .select(COLUMNS)
      .where(among('partition_key', filter.only))
      .where(behindKey(['partition_key', 'id_key'], page))
      .orderBy('partition_key')
      .orderBy('id_key')
      .limit(page.limit)
      .execute();
    return rows.map(read);
  },
  reservedBefore: async (reader, beforeMs, limit) => {
    const rows = await db(reader)
      .selectFrom('provider')
      .select('uid')
      .where('reserve_ms', '>', 0)
      .where('reserve_ms', '<=', beforeMs)
      .orderBy('reserve_ms')
      .limit(limit)
      .execute();
    return rows.map(({ uid }) => uid);
  },
  countChildren: (reader, uid) => countWhere(reader, 'parent_uid', uid),
  countInPartition: (reader, partition) => countWhere(reader, 'partition_key', keyOf(partition)),
  countWithCapability: async (reader, code) => {
    const { count } = await db(reader)
      .selectFrom('provider_capability')
      .select((build) => build.fn.countAll<number>().as('count'))
      .where('code', '=', code)
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  levelsBelow: async (reader, uid, levelsMax) => {
    const { rows } = await sql<{ readonly levels: number }>`
      with recursive below (uid, level) as (
        select uid, 0 from provider where uid = ${uid}
        union all
        select part.uid, below.level + 1 from provider part
        join below on part.parent_uid = below.uid where below.level < ${levelsMax}
      )
      select coalesce(max(level), 0) as levels from below`.execute(
      reader.kysely<InventoryTables>(),
    );
    return Number(rows[0]?.levels ?? 0);
  },
} satisfies Partial<ProviderRecords>;
