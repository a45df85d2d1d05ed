import { type RawBuilder, sql } from 'kysely';
import { keyOf, providerName, type TermKind } from '../domain/records.ts';
import type { ProviderRecords } from '../ports.ts';
import { atControllers } from './controllers.ts';
import { NAMES_MAX } from './place-distances.ts';
import { holdersOf } from './provider-identifiers.ts';
import { listProviders } from './provider-list.ts';
import { byName, COLUMNS, read } from './provider-rows.ts';
import { db } from './rows.ts';
import type { InventoryTables } from './tables.ts';

const ofTerm = (
  kind: TermKind,
  term: string,
  partition: string | undefined,
): RawBuilder<boolean> =>
  partition === undefined
    ? sql<boolean>`kind = ${kind} and term = ${term}`
    : sql<boolean>`kind = ${kind} and term = ${term} and partition_key = ${keyOf(partition)}`;

export const providerSearches = {
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
  list: listProviders,
  holdersOf,
  atControllers,
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
  partsLeft: async (reader, uids) => {
    const parts = db(reader)
      .selectFrom('provider')
      .where('parent_uid', 'in', [...uids])
      .where('uid', 'not in', [...uids]);
    const { count } = await parts
      .select((build) => build.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    if (Number(count) === 0) return { count: 0, names: [] };
    const rows = await parts
      .select(['partition_id', 'name_id'])
      .orderBy('id_key')
      .limit(NAMES_MAX)
      .execute();
    const names = rows.map((row) => providerName({ partition: row.partition_id, id: row.name_id }));
    return { count: Number(count), names };
  },
  countInPartition: async (reader, partition) => {
    const { count } = await db(reader)
      .selectFrom('provider')
      .select((build) => build.fn.countAll<number>().as('count'))
      .where('partition_key', '=', keyOf(partition))
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  countWithTerm: async (reader, kind, term, partition) => {
    const { count } = await db(reader)
      .selectFrom('provider_term')
      .select((build) => build.fn.countAll<number>().as('count'))
      .where(ofTerm(kind, term, partition))
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  withTerm: async (reader, kind, term, partition) => {
    const those = db(reader)
      .selectFrom('provider_term')
      .select('provider_uid')
      .where(ofTerm(kind, term, partition))
      .orderBy('partition_key')
      .orderBy('id_key')
      .limit(NAMES_MAX);
    const rows = await db(reader)
      .selectFrom('provider')
      .select(['partition_id', 'name_id'])
      .where('uid', 'in', those)
      .orderBy('partition_key')
      .orderBy('id_key')
      .execute();
    return rows.map((row) => providerName({ partition: row.partition_id, id: row.name_id }));
  },
  uidsBelow: async (reader, uid, limit) => {
    const { rows } = await sql<{ readonly uid: string }>`
      with recursive below (uid) as (
        select uid from provider where parent_uid = ${uid}
        union
        select part.uid from provider part join below on part.parent_uid = below.uid
      )
      select uid from below limit ${limit}`.execute(reader.kysely<InventoryTables>());
    return rows.map((row) => row.uid);
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
