import { type RawBuilder, sql } from 'kysely';
import { behindKey, type Page } from '../../store/sql/page.ts';
import { keyOf, providerName, type TermKind } from '../domain/records.ts';
import type { ProviderFilter, ProviderRecords } from '../ports.ts';
import { NAMES_MAX } from './place-distances.ts';
import { byName, COLUMNS, read } from './provider-rows.ts';
import { among, called, db } from './rows.ts';
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
  list: async (reader, filter, page) => {
    const rows = await db(reader)
      .selectFrom('provider')
      .select(COLUMNS)
      .where(among('partition_key', filter.only))
      .where(behindKey(['partition_key', 'id_key'], page))
      .where(inTree(filter))
      .where(withTerms(filter, page))
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

const TRUE = sql<boolean>`1 = 1`;

const inTree = ({ inTree: member, only }: ProviderFilter): RawBuilder<boolean> =>
  member === undefined
    ? TRUE
    : sql<boolean>`root_uid in (
        select root_uid from provider where ${among('partition_key', only)} and ${called(member)})`;

/** A condition on rows of provider_term under that alias. */
type TermCondition = (alias: 'term' | 'further') => RawBuilder<boolean>;

/**
 * The table of terms has the order of lists, so a page of a filter is read from its index up to the
 * page's end; further terms are looked up row by row. Within a tree, which is small, all are.
 */
const withTerms = (filter: ProviderFilter, page: Page): RawBuilder<boolean> => {
  const { terms, group, only } = filter;
  const conditions = [
    ...(group === undefined ? [] : [inGroup(group, only)]),
    ...terms.map(hasTerm),
  ];
  const [first, ...others] = conditions;
  if (first === undefined) return TRUE;
  if (filter.inTree !== undefined) return hasToo(conditions, 'provider');
  return sql<boolean>`(partition_key, id_key) in (
    select distinct term.partition_key, term.id_key from provider_term term
    where ${first('term')} and ${among('term.partition_key', only)}
    and ${behindKey(['term.partition_key', 'term.id_key'], page)}
    and ${hasToo(others, 'term')}
    order by term.partition_key, term.id_key limit ${page.limit})`;
};

const hasToo = (
  conditions: readonly TermCondition[],
  row: 'provider' | 'term',
): RawBuilder<boolean> => {
  if (conditions.length === 0) return TRUE;
  const partitionKey = sql.ref(`${row}.partition_key`);
  const idKey = sql.ref(`${row}.id_key`);
  const found = conditions.map(
    (condition) => sql<boolean>`exists (
      select 1 from provider_term further where ${condition('further')}
      and further.partition_key = ${partitionKey} and further.id_key = ${idKey})`,
  );
  return sql<boolean>`${sql.join(found, sql` and `)}`;
};

const hasTerm =
  ({ kind, term }: ProviderFilter['terms'][number]): TermCondition =>
  (alias) =>
    sql<boolean>`${sql.ref(`${alias}.kind`)} = ${kind} and ${sql.ref(`${alias}.term`)} = ${term}`;

/** The group and all groups inside it; there may be one of that id in several partitions. */
const inGroup =
  (group: string, only: readonly string[] | undefined): TermCondition =>
  (alias) => {
    const [kind, term] = [sql.ref(`${alias}.kind`), sql.ref(`${alias}.term`)];
    const partitionKey = sql.ref(`${alias}.partition_key`);
    return sql<boolean>`${kind} = 'group' and (${term}, ${partitionKey}) in (
      with recursive inside (id_key, partition_key) as (
        select id_key, partition_key from provider_group
        where id_key = ${group} and ${among('partition_key', only)}
        union
        select part.id_key, part.partition_key from provider_group part
        join inside
        on part.parent_key = inside.id_key and part.partition_key = inside.partition_key
      )
      select id_key, partition_key from inside)`;
  };
