/**
 * Groups, distances, resource types of operators' own, and what lists of providers are filtered by.
 * What providers say of themselves was only in their documents before; it is read from there once.
 */
import { sql } from 'kysely';
import type { Migration, MigrationDb } from '../../store/sql/migration.ts';
import { columns, HEAD } from './migration-columns.ts';

const GENERATION = { generation: 'bigint' } as const;

export const placesMigration: Migration = {
  name: '0002-places',
  up: async (db) => {
    for (const table of ['partition_row', 'capability']) {
      await addColumn(db, table, { name: 'generation', type: 'bigint', value: 1 });
    }
    for (const table of ['resource_type', 'distance_type']) {
      await db.createTable(table, columns(db, { ...HEAD, ...GENERATION }));
      await db.createUnique(table, ['uid']);
      await db.createUnique(table, ['id_key']);
    }
    await createGroups(db);
    await createProviderColumns(db);
    await createTerms(db);
  },
};

type Added = {
  readonly name: string;
  readonly type: 'text' | 'bigint';
  readonly value: string | number;
};

const addColumn = async (db: MigrationDb, table: string, added: Added): Promise<void> => {
  await db.kysely.schema
    .alterTable(table)
    .addColumn(added.name, db.type[added.type], (column) => column.notNull().defaultTo(added.value))
    .execute();
};

const createGroups = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'provider_group',
    columns(db, {
      ...HEAD,
      ...GENERATION,
      partition_id: 'text',
      partition_key: 'text',
      parent_key: 'text',
    }),
  );
  await db.createUnique('provider_group', ['uid']);
  await db.createUnique('provider_group', ['partition_key', 'id_key']);
  await db.createIndex('provider_group', ['partition_key', 'parent_key']);
  await db.createTable('shared_provider', columns(db, { group_uid: 'text', provider_uid: 'text' }));
  await db.createUnique('shared_provider', ['provider_uid', 'group_uid']);
  await db.createIndex('shared_provider', ['group_uid']);
  await db.createTable(
    'place_distance',
    columns(db, {
      source_uid: 'text',
      source_name: 'text',
      partition_key: 'text',
      group_key: 'text',
      type_code: 'text',
      step: 'text',
    }),
  );
  await db.createUnique('place_distance', ['source_uid', 'type_code', 'group_key']);
  await db.createIndex('place_distance', ['partition_key', 'group_key']);
  await db.createIndex('place_distance', ['type_code', 'step']);
};

const createProviderColumns = async (db: MigrationDb): Promise<void> => {
  for (const name of ['root_uid', 'intent', 'finished_holder']) {
    await addColumn(db, 'provider', { name, type: 'text', value: '' });
  }
  await sql`
    update provider set root_uid = (
      with recursive above (uid, parent_uid, level) as (
        select own.uid, own.parent_uid, 0 from provider own where own.id = provider.id
        union all
        select up.uid, up.parent_uid, above.level + 1 from provider up
        join above on up.uid = above.parent_uid where above.level < 64
      )
      select uid from above order by level desc limit 1)`.execute(db.kysely);
  await db.createIndex('provider', ['root_uid']);
};

/**
 * One row for each capability, group, resource type, tag and type that a provider has, with the
 * columns by which lists are ordered: a page of a filtered list is read from the index in order.
 */
const createTerms = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'provider_term',
    columns(db, {
      provider_uid: 'text',
      kind: 'text',
      term: 'text',
      partition_key: 'text',
      id_key: 'text',
    }),
  );
  await db.createUnique('provider_term', ['kind', 'term', 'partition_key', 'id_key']);
  await db.createIndex('provider_term', ['provider_uid']);
  await copyTerms(db);
  await db.kysely.schema.dropTable('provider_capability').execute();
};

const ROWS = 500;

type Told = {
  readonly tags?: readonly string[];
  readonly spec?: {
    readonly type?: string;
    readonly capabilities?: readonly string[];
    readonly groups?: readonly string[];
    readonly inventories?: readonly { readonly resourceType: string }[];
  };
};

type Row = {
  readonly id: number;
  readonly uid: string;
  readonly partition_key: string;
  readonly id_key: string;
  readonly doc: string;
};

/** Groups were free names until now: whoever names one is its member once an operator makes it. */
const copyTerms = async ({ kysely }: MigrationDb): Promise<void> => {
  for (let after = 0; ; ) {
    const { rows } = await sql<Row>`select id, uid, partition_key, id_key, doc from provider
       where id > ${after} order by id limit ${ROWS}`.execute(kysely);
    const terms: Record<string, unknown>[] = [];
    for (const { id, uid, partition_key, id_key, doc } of rows) {
      const stored: Told = JSON.parse(doc);
      const told = oneSpelling(stored);
      if (told !== stored) {
        const text = JSON.stringify(told);
        await sql`update provider set doc = ${text} where id = ${id}`.execute(kysely);
      }
      for (const [kind, term] of termsOf(told)) {
        terms.push({ provider_uid: uid, kind, term, partition_key, id_key });
      }
    }
    for (let at = 0; at < terms.length; at += ROWS) {
      await kysely
        .insertInto('provider_term')
        .values(terms.slice(at, at + ROWS))
        .execute();
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS) return;
    after = Number(last.id);
  }
};

/**
 * Case told free names apart, and it tells no groups apart: what was named in several spellings is
 * one group, named once. Otherwise every later change of the provider would be refused for it.
 */
const oneSpelling = (doc: Told): Told => {
  const named = doc.spec?.groups ?? [];
  const keys = named.map((group) => group.toLowerCase());
  const groups = named.filter((_, index) => keys.indexOf(keys[index] ?? '') === index);
  return groups.length === named.length ? doc : { ...doc, spec: { ...doc.spec, groups } };
};

const termsOf = ({ tags = [], spec = {} }: Told): readonly (readonly [string, string])[] => [
  ['type', (spec.type ?? '').replace('PROVIDER_TYPE_', '').toLowerCase()],
  ...tags.map((tag) => ['tag', tag] as const),
  ...(spec.capabilities ?? []).map((code) => ['capability', code] as const),
  ...(spec.groups ?? []).map((group) => ['group', group.toLowerCase()] as const),
  ...(spec.inventories ?? []).map((row) => ['resource_type', row.resourceType] as const),
];
