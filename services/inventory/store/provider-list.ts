/**
 * Lists of providers by what they have, a page in at most two statements. The table of terms has
 * the order of lists, so a page is read from the index of one term up to the page's end, and what
 * else is asked for is looked up row by row.
 */
import { type RawBuilder, sql } from 'kysely';
import { behindKey, type Page } from '../../store/sql/page.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import type { ProviderRecord } from '../domain/records.ts';
import type { ProviderFilter } from '../ports.ts';
import { COLUMNS, read } from './provider-rows.ts';
import { among, called, db } from './rows.ts';
import type { InventoryTables } from './tables.ts';

type Condition = RawBuilder<boolean>;

export const listProviders = async (
  reader: Reader,
  filter: ProviderFilter,
  page: Page,
): Promise<readonly ProviderRecord[]> => {
  const conditions = await conditionsOf(reader, filter, page);
  if (conditions === undefined) return [];
  let query = db(reader)
    .selectFrom('provider')
    .select(COLUMNS)
    .where(behind('provider', filter, page));
  // A tree lies in one partition. Asked for both, SQLite would go through all of the partition.
  if (filter.inTree === undefined) query = query.where(among('partition_key', filter.only));
  for (const condition of conditions) query = query.where(condition);
  const rows = await query.orderBy('partition_key').orderBy('id_key').limit(page.limit).execute();
  return rows.map(read);
};

/** Undefined: there can be none. */
const conditionsOf = async (
  reader: Reader,
  filter: ProviderFilter,
  page: Page,
): Promise<readonly Condition[] | undefined> => {
  const { terms, group, inTree } = filter;
  if (inTree !== undefined) {
    const roots = await rootsOf(reader, filter, inTree);
    if (roots.length === 0) return undefined;
    const having = terms.map((term) => hasTerm('provider', term));
    const inGroup = group === undefined ? [] : [hasGroup('provider', filter, group)];
    return [amongRoots(roots), ...having, ...inGroup];
  }
  if (group !== undefined && (await isSmall(reader, filter, group))) {
    const having = terms.map((term) => hasTerm('term', term));
    return [ofPage(inNest('term', filter, group), { filter, page, having })];
  }
  const [first, ...others] = terms;
  const wide = (row: Row) => (group === undefined ? [] : [hasGroup(row, filter, group)]);
  if (first === undefined) return wide('provider');
  const having = [...others.map((term) => hasTerm('term', term)), ...wide('term')];
  return [ofPage(isTerm('term', first), { filter, page, having })];
};

const rootsOf = async (
  reader: Reader,
  { only }: ProviderFilter,
  member: string,
): Promise<readonly string[]> => {
  const rows = await db(reader)
    .selectFrom('provider')
    .select('root_uid')
    .where(among('partition_key', only))
    .where(called(member))
    .execute();
  return rows.map(({ root_uid }) => root_uid);
};

const amongRoots = (roots: readonly string[]): Condition =>
  sql<boolean>`(${sql.join(
    roots.map((root) => sql<boolean>`root_uid = ${root}`),
    sql` or `,
  )})`;

/** Up to so many members are read and sorted for each page; of more, the first are looked for. */
const SMALL_MAX = 2_000;

const isSmall = async (reader: Reader, filter: ProviderFilter, group: string): Promise<boolean> => {
  const { rows } = await sql<{ readonly members: number }>`
    select count(*) as members from (
      select term.id from provider_term term
      where ${inNest('term', filter, group)} limit ${SMALL_MAX + 1}) counted`.execute(
    reader.kysely<InventoryTables>(),
  );
  return Number(rows[0]?.members ?? 0) <= SMALL_MAX;
};

/** Which row a condition is about: the list's own, or the term from which the page is read. */
type Row = 'provider' | 'term';
type Terms = ProviderFilter['terms'][number];

type Driven = {
  readonly filter: ProviderFilter;
  readonly page: Page;
  readonly having: readonly Condition[];
};

const ofPage = (driver: Condition, { filter, page, having }: Driven): Condition => {
  const all = [
    driver,
    among('term.partition_key', filter.only),
    behind('term', filter, page),
    ...having,
  ];
  return sql<boolean>`(partition_key, id_key) in (
    select distinct term.partition_key, term.id_key from provider_term term
    where ${sql.join(all, sql` and `)}
    order by term.partition_key, term.id_key limit ${page.limit})`;
};

/** Within one partition the index is entered at the key itself. */
const behind = (row: Row, { only }: ProviderFilter, page: Page): Condition => {
  const [, after] = page.after ?? [];
  return only?.length === 1 && page.after?.length === 2
    ? sql<boolean>`${sql.ref(`${row}.id_key`)} > ${after}`
    : behindKey([`${row}.partition_key`, `${row}.id_key`], page);
};

const isTerm = (alias: 'term' | 'further', { kind, term }: Terms): Condition =>
  sql<boolean>`${sql.ref(`${alias}.kind`)} = ${kind} and ${sql.ref(`${alias}.term`)} = ${term}`;

const hasTerm = (row: Row, term: Terms): Condition => sql<boolean>`exists (
  select 1 from provider_term further where ${isTerm('further', term)}
  and further.partition_key = ${sql.ref(`${row}.partition_key`)}
  and further.id_key = ${sql.ref(`${row}.id_key`)})`;

/** By its uid: it is in few groups, and the nest may have many. */
const hasGroup = (row: Row, filter: ProviderFilter, group: string): Condition => {
  const uid = sql.ref(row === 'provider' ? 'provider.uid' : 'term.provider_uid');
  return sql<boolean>`exists (
    select 1 from provider_term further where further.provider_uid = ${uid}
    and ${inNest('further', filter, group)})`;
};

/** The group and all groups inside it; there may be one of that id in several partitions. */
const inNest = (alias: 'term' | 'further', { only }: ProviderFilter, group: string): Condition => {
  const [kind, term] = [sql.ref(`${alias}.kind`), sql.ref(`${alias}.term`)];
  const partitionKey = sql.ref(`${alias}.partition_key`);
  return sql<boolean>`${kind} = 'group' and (${term}, ${partitionKey}) in (
    with recursive inside (id_key, partition_key) as (
      select id_key, partition_key from provider_group
      where id_key = ${group} and ${among('partition_key', only)}
      union
      select part.id_key, part.partition_key from provider_group part
      join inside on part.parent_key = inside.id_key and part.partition_key = inside.partition_key
    )
    select id_key, partition_key from inside)`;
};
