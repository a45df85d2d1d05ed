import type { Migration, MigrationDb } from '../../store/sql/migration.ts';

const createPastChange = async (db: MigrationDb): Promise<void> => {
  const { text, bigint, integer } = db.type;
  await db.createTable('past_change', (table) =>
    table
      .addColumn('partition', text, (column) => column.notNull())
      .addColumn('number', bigint, (column) => column.notNull())
      .addColumn('position', integer, (column) => column.notNull())
      .addColumn('at_ms', bigint, (column) => column.notNull())
      .addColumn('action', text, (column) => column.notNull())
      .addColumn('object_uid', text, (column) => column.notNull())
      .addColumn('object_name', text, (column) => column.notNull())
      .addColumn('project', text, (column) => column.notNull())
      .addColumn('principal', text, (column) => column.notNull())
      .addColumn('request_id', text, (column) => column.notNull())
      .addColumn('after', text, (column) => column.notNull()),
  );
  await db.createUnique('past_change', ['partition', 'number', 'position']);
  await db.createIndex('past_change', ['object_uid', 'id']);
};

const createPastClaim = async (db: MigrationDb): Promise<void> => {
  const { text, bigint } = db.type;
  await db.createTable('past_claim', (table) =>
    table
      .addColumn('uid', text, (column) => column.notNull())
      .addColumn('partition', text, (column) => column.notNull())
      .addColumn('project', text, (column) => column.notNull())
      .addColumn('claim_id', text, (column) => column.notNull())
      .addColumn('create_ms', bigint, (column) => column.notNull())
      .addColumn('end_ms', bigint, (column) => column.notNull())
      .addColumn('doc', text, (column) => column.notNull()),
  );
  await db.createUnique('past_claim', ['uid']);
  await db.createIndex('past_claim', ['partition', 'project', 'end_ms']);
};

export const schedulerMigrations: readonly Migration[] = [
  {
    name: '0001-history',
    up: async (db) => {
      await createPastChange(db);
      await createPastClaim(db);
    },
  },
];
