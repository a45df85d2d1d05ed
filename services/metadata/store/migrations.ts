import { sql } from 'kysely';
import type { Migration, MigrationDb, TableBuilder } from '../../store/sql/migration.ts';

type Column = keyof MigrationDb['type'];

const columns =
  ({ type }: MigrationDb, wanted: Readonly<Record<string, Column>>) =>
  (table: TableBuilder): TableBuilder => {
    let built = table;
    for (const [name, kind] of Object.entries(wanted)) {
      built = built.addColumn(name, type[kind], (column) => column.notNull());
    }
    return built;
  };

/** What every object with a name has. */
const HEAD = { uid: 'text', id_key: 'text', version: 'bigint', doc: 'text' } as const;

const people = async (db: MigrationDb): Promise<void> => {
  await db.createTable('project', columns(db, HEAD));
  await db.createUnique('project', ['uid']);
  await db.createUnique('project', ['id_key']);
  await db.createTable('person', columns(db, HEAD));
  await db.createUnique('person', ['uid']);
  await db.createUnique('person', ['id_key']);
  await db.createTable(
    'role_grant',
    columns(db, {
      user_uid: 'text',
      role: 'text',
      partition_key: 'text',
      project_key: 'text',
      doc: 'text',
    }),
  );
  await db.createUnique('role_grant', ['user_uid', 'role', 'partition_key', 'project_key']);
  await db.createIndex('role_grant', ['role']);
  await db.createIndex('role_grant', ['project_key']);
};

const credentials = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'token',
    columns(db, {
      ...HEAD,
      user_uid: 'text',
      hash: 'text',
      expire_ms: 'bigint',
      last_use_ms: 'bigint',
    }),
  );
  await db.createUnique('token', ['uid']);
  await db.createUnique('token', ['id_key']);
  await db.createUnique('token', ['hash']);
  await db.createIndex('token', ['user_uid', 'id_key']);
  await db.createIndex('token', ['expire_ms']);
  await db.createTable('certificate', columns(db, { ...HEAD, user_uid: 'text' }));
  await db.createUnique('certificate', ['uid']);
  await db.createUnique('certificate', ['id_key']);
  await db.createIndex('certificate', ['user_uid', 'id_key']);
};

const trust = async (db: MigrationDb): Promise<void> => {
  await db.createTable('authority', columns(db, { uid: 'text', slot: 'text', doc: 'text' }));
  await db.createUnique('authority', ['uid']);
  await db.createUnique('authority', ['slot']);
  await db.createTable(
    'join_token',
    columns(db, {
      uid: 'text',
      hash: 'text',
      expire_ms: 'bigint',
      burned_ms: 'bigint',
      doc: 'text',
    }),
  );
  await db.createUnique('join_token', ['hash']);
  await db.createIndex('join_token', ['expire_ms']);
  await db.createTable(
    'agent',
    columns(db, {
      uid: 'text',
      partition_key: 'text',
      agent_key: 'text',
      revoked_ms: 'bigint',
      doc: 'text',
    }),
  );
  await db.createUnique('agent', ['uid']);
  await db.createUnique('agent', ['partition_key', 'agent_key'], sql<boolean>`revoked_ms = 0`);
  await db.createIndex('agent', ['revoked_ms']);
  await db.createTable('bootstrap', columns(db, { hash: 'text', burned_ms: 'bigint' }));
  await db.createUnique('bootstrap', ['hash']);
  // One row per thing of which only one transaction at a time may decide.
  await db.createTable('guard', columns(db, { name: 'text', version: 'bigint' }));
  await db.createUnique('guard', ['name']);
  await sql`insert into guard (name, version) values ('admins', 0)`.execute(db.kysely);
};

const definitions = async (db: MigrationDb): Promise<void> => {
  await db.createTable('definition', columns(db, HEAD));
  await db.createUnique('definition', ['id_key']);
};

const projectTree = async (db: MigrationDb): Promise<void> => {
  await db.kysely.schema
    .alterTable('project')
    .addColumn('parent_key', db.type.text, (column) => column.notNull().defaultTo(''))
    .execute();
  await db.createIndex('project', ['parent_key', 'id_key']);
};

const secrets = async (db: MigrationDb): Promise<void> => {
  await db.createTable('secret', columns(db, { ...HEAD, project_key: 'text' }));
  await db.createUnique('secret', ['uid']);
  await db.createUnique('secret', ['project_key', 'id_key']);
};

export const metadataMigrations: readonly Migration[] = [
  {
    name: '0001-identity',
    up: async (db) => {
      await people(db);
      await credentials(db);
      await trust(db);
    },
  },
  {
    name: '0002-definitions-and-project-tree',
    up: async (db) => {
      await definitions(db);
      await projectTree(db);
    },
  },
  { name: '0003-secrets', up: secrets },
];
