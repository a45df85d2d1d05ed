import { sql } from 'kysely';
import type { Migration } from '../../store/sql/migration.ts';
import { controllersMigration } from './controllers-migration.ts';
import { hardwareMigration } from './hardware-migration.ts';
import { columns, HEAD } from './migration-columns.ts';
import { placesMigration } from './places-migration.ts';

export const inventoryMigrations: readonly Migration[] = [
  {
    name: '0001-inventory',
    up: async (db) => {
      for (const table of ['partition_row', 'capability']) {
        await db.createTable(table, columns(db, HEAD));
        await db.createUnique(table, ['uid']);
        await db.createUnique(table, ['id_key']);
      }
      await db.createTable(
        'provider',
        columns(db, {
          ...HEAD,
          partition_id: 'text',
          partition_key: 'text',
          generation: 'bigint',
          parent_uid: 'text',
          reserved_generation: 'bigint',
          reserve_holder: 'text',
          reserve_ms: 'bigint',
        }),
      );
      await db.createUnique('provider', ['uid']);
      await db.createUnique('provider', ['partition_key', 'id_key']);
      await db.createIndex('provider', ['parent_uid']);
      await db.createIndex('provider', ['reserve_ms']);
      await db.createTable(
        'provider_nic',
        columns(db, { provider_uid: 'text', partition_key: 'text', label: 'text', mac: 'text' }),
      );
      await db.createUnique('provider_nic', ['provider_uid', 'label']);
      await db.createUnique('provider_nic', ['partition_key', 'mac'], sql<boolean>`mac <> ''`);
      await db.createTable(
        'provider_capability',
        columns(db, { provider_uid: 'text', code: 'text' }),
      );
      await db.createUnique('provider_capability', ['code', 'provider_uid']);
      await db.createIndex('provider_capability', ['provider_uid']);
    },
  },
  placesMigration,
  hardwareMigration,
  controllersMigration,
];
