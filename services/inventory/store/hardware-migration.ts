/**
 * What hardware is told apart by, whoever says it, in place of the MAC addresses alone; what was
 * seen of providers; and what scans found. Serial numbers and UUIDs were free until now: of two
 * providers that declare the same one the older keeps it, and the other is refused at its next
 * change until one of them is put right.
 */
import { sql } from 'kysely';
import type { Migration, MigrationDb } from '../../store/sql/migration.ts';
import { addressKey } from '../domain/discovery.ts';
import { identifiersOf } from '../domain/identifiers.ts';
import { columns, HEAD } from './migration-columns.ts';

export const hardwareMigration: Migration = {
  name: '0003-hardware',
  up: async (db) => {
    await db.createTable(
      'provider_identifier',
      columns(db, {
        provider_uid: 'text',
        partition_key: 'text',
        identifier: 'text',
        declared: 'integer',
        observed: 'integer',
      }),
    );
    await db.createUnique('provider_identifier', ['partition_key', 'identifier']);
    await db.createIndex('provider_identifier', ['provider_uid']);
    await copyIdentifiers(db);
    await db.kysely.schema.dropTable('provider_nic').execute();
    await db.kysely.schema
      .alterTable('provider')
      .addColumn('observed', db.type.text, (column) => column.notNull().defaultTo(''))
      .execute();
    await createDiscoveries(db);
  },
};

const createDiscoveries = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'discovery',
    columns(db, {
      ...HEAD,
      generation: 'bigint',
      partition_id: 'text',
      partition_key: 'text',
      state: 'text',
    }),
  );
  await db.createUnique('discovery', ['uid']);
  await db.createUnique('discovery', ['partition_key', 'id_key']);
  await db.createIndex('discovery', ['partition_key', 'state', 'id_key']);
};

const ROWS = 500;

type Told = {
  readonly spec?: {
    readonly nics?: readonly { readonly label?: string; readonly mac?: string }[];
    readonly bmc?: { readonly address?: string };
    readonly facts?: { readonly serialNumber?: string; readonly smbiosUuid?: string };
  };
};

type Row = {
  readonly id: number;
  readonly uid: string;
  readonly partition_key: string;
  readonly id_key: string;
  readonly doc: string;
};

const copyIdentifiers = async ({ kysely }: MigrationDb): Promise<void> => {
  for (let after = 0; ; ) {
    const { rows } = await sql<Row>`select id, uid, partition_key, id_key, doc from provider
       where id > ${after} order by id limit ${ROWS}`.execute(kysely);
    const found = rows.flatMap((row) =>
      declaredIn(JSON.parse(row.doc)).map(({ key }) => ({
        provider_uid: row.uid,
        partition_key: row.partition_key,
        identifier: key,
        declared: 1,
        observed: 0,
      })),
    );
    for (let at = 0; at < found.length; at += ROWS) {
      await kysely
        .insertInto('provider_identifier')
        .values(found.slice(at, at + ROWS))
        .onConflict((conflict) => conflict.columns(['partition_key', 'identifier']).doNothing())
        .execute();
    }
    await copyAddresses(kysely, rows);
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS) return;
    after = Number(last.id);
  }
};

const copyAddresses = async (
  kysely: MigrationDb['kysely'],
  rows: readonly Row[],
): Promise<void> => {
  const terms = rows.flatMap(({ uid, partition_key, id_key, doc }) => {
    const { spec = {} }: Told = JSON.parse(doc);
    const term = addressKey(spec.bmc?.address ?? '');
    return term === '' ? [] : [{ provider_uid: uid, kind: 'address', term, partition_key, id_key }];
  });
  if (terms.length > 0) await kysely.insertInto('provider_term').values(terms).execute();
};

const declaredIn = ({ spec = {} }: Told) =>
  identifiersOf({
    nics: (spec.nics ?? []).map(({ label = '', mac = '' }) => ({ label, mac })),
    facts: {
      serialNumber: spec.facts?.serialNumber ?? '',
      smbiosUuid: spec.facts?.smbiosUuid ?? '',
    },
  });
