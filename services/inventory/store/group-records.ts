import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { behindKey } from '../../store/sql/page.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import {
  type GroupParts,
  type GroupRecord,
  groupName,
  keyOf,
  placedChangeKind,
} from '../domain/records.ts';
import type { GroupRecords } from '../ports.ts';
import {
  NAMES_MAX,
  namesWithDistanceOf,
  namesWithDistanceTo,
  removeDistances,
  writeDistances,
} from './place-distances.ts';
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
import type { GroupRow, InventoryTables } from './tables.ts';

const COLUMNS = [...HEAD_COLUMNS, 'partition_id', 'parent_key'] as const;

const read = (row: Pick<GroupRow, (typeof COLUMNS)[number]>): GroupRecord => ({
  ...headOf(row),
  partition: row.partition_id,
  parentKey: row.parent_key,
});

const rowOf = (record: GroupRecord) => ({
  ...headRow(record),
  partition_id: record.partition,
  partition_key: keyOf(record.partition),
  parent_key: record.parentKey,
});

export const groupRecords = (locks: Locks): GroupRecords => ({
  ...searches,
  insert: async (tx, record, parts) => {
    const insert = db(tx).insertInto('provider_group').values(rowOf(record)).execute();
    await insertUnique(insert, groupName(record));
    await writeParts(tx, record, parts);
    tx.change(changeOf(record));
  },
  save: async (tx, record, parts) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('provider_group')
      .set(rowOf(record))
      .where('uid', '=', record.uid)
      .executeTakeFirstOrThrow();
    assert(numUpdatedRows === 1n);
    await removeParts(tx, record.uid);
    await writeParts(tx, record, parts);
    tx.change(changeOf(record));
  },
  remove: async (tx, record) => {
    await removeParts(tx, record.uid);
    await db(tx).deleteFrom('provider_group').where('uid', '=', record.uid).execute();
    tx.change({ ...changeOf(record), deleted: true });
  },
  lock: async (tx, partition, idOrUid) => {
    const row = await byName(tx, partition, idOrUid).modifyEnd(locks.forUpdate).executeTakeFirst();
    return row && read(row);
  },
  keepAll: async (tx, partition, keys) => {
    if (keys.length === 0) return [];
    const rows = await db(tx)
      .selectFrom('provider_group')
      .select(COLUMNS)
      .where('partition_key', '=', keyOf(partition))
      .where('id_key', 'in', [...keys])
      .orderBy('id_key')
      .modifyEnd(locks.forKeep)
      .execute();
    return rows.map(read);
  },
});

const changeOf = ({ uid, partition }: GroupRecord) => ({
  kind: placedChangeKind('group', partition),
  uid,
});

const byName = (reader: Reader | Tx, partition: string, idOrUid: string) =>
  db(reader)
    .selectFrom('provider_group')
    .select(COLUMNS)
    .where('partition_key', '=', keyOf(partition))
    .where(called(idOrUid));

const writeParts = async (
  tx: Tx,
  record: GroupRecord,
  { sharedProviders, distances }: GroupParts,
): Promise<void> => {
  const { uid, partition } = record;
  if (sharedProviders.length > 0) {
    const rows = sharedProviders.map((provider_uid) => ({ group_uid: uid, provider_uid }));
    await db(tx).insertInto('shared_provider').values(rows).execute();
  }
  const source = { uid, partition, name: groupName(record) };
  await writeDistances(tx, [{ source, distances }]);
};

const removeParts = async (tx: Tx, uid: string): Promise<void> => {
  await db(tx).deleteFrom('shared_provider').where('group_uid', '=', uid).execute();
  await removeDistances(tx, [uid]);
};

const searches = {
  find: async (reader, partition, idOrUid) => {
    const row = await byName(reader, partition, idOrUid).executeTakeFirst();
    return row && read(row);
  },
  byUids: async (reader, uids) => {
    if (uids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('provider_group')
      .select(COLUMNS)
      .where('uid', 'in', [...uids])
      .execute();
    return rows.map(read);
  },
  list: async (reader, filter, page) => {
    const rows = await db(reader)
      .selectFrom('provider_group')
      .select(COLUMNS)
      .where(among('partition_key', filter.only))
      .where(behindKey(['partition_key', 'id_key'], page))
      .orderBy('partition_key')
      .orderBy('id_key')
      .limit(page.limit)
      .execute();
    return rows.map(read);
  },
  countMembers: async (reader, groups) => {
    if (groups.length === 0) return new Map();
    const uids = sql.join(groups.map(({ uid }) => uid));
    const { rows } = await sql<{ readonly uid: string; readonly members: number }>`
      select grp.uid as uid, (
        select count(*) from provider_term term
        where term.kind = 'group' and term.term = grp.id_key
        and term.partition_key = grp.partition_key) as members
      from provider_group grp where grp.uid in (${uids})`.execute(reader.kysely<InventoryTables>());
    return new Map(rows.map(({ uid, members }) => [uid, Number(members)]));
  },
  countInPartition: async (reader, partition) => {
    const { count } = await db(reader)
      .selectFrom('provider_group')
      .select((build) => build.fn.countAll<number>().as('count'))
      .where('partition_key', '=', keyOf(partition))
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  childNames: async (reader, { partition, id }) => {
    const rows = await db(reader)
      .selectFrom('provider_group')
      .select('name_id')
      .where('partition_key', '=', keyOf(partition))
      .where('parent_key', '=', keyOf(id))
      .orderBy('id_key')
      .limit(NAMES_MAX)
      .execute();
    return rows.map(({ name_id }) => groupName({ partition, id: name_id }));
  },
  levelsBelow: async (reader, { partition, id }, levelsMax) => {
    const { rows } = await sql<{ readonly levels: number }>`
      with recursive below (id_key, level) as (
        select id_key, 0 from provider_group
        where partition_key = ${keyOf(partition)} and id_key = ${keyOf(id)}
        union all
        select inner_one.id_key, below.level + 1 from provider_group inner_one
        join below on inner_one.parent_key = below.id_key
        where inner_one.partition_key = ${keyOf(partition)} and below.level < ${levelsMax}
      )
      select coalesce(max(level), 0) as levels from below`.execute(
      reader.kysely<InventoryTables>(),
    );
    return Number(rows[0]?.levels ?? 0);
  },
  sharing: async (reader, providers) => {
    const rows = await db(reader)
      .selectFrom('provider_group')
      .select(['partition_id', 'name_id'])
      .where(
        'uid',
        'in',
        db(reader)
          .selectFrom('shared_provider')
          .select('group_uid')
          .where(
            'provider_uid',
            'in',
            providers.map(({ uid }) => uid),
          ),
      )
      .orderBy('id_key')
      .limit(NAMES_MAX)
      .execute();
    return rows.map((row) => groupName({ partition: row.partition_id, id: row.name_id }));
  },
  distancesTo: namesWithDistanceTo,
  distancesOf: namesWithDistanceOf,
} satisfies Partial<GroupRecords>;
