import type { MigrationDb, TableBuilder } from '../../store/sql/migration.ts';

type Column = keyof MigrationDb['type'];

export const columns =
  ({ type }: MigrationDb, wanted: Readonly<Record<string, Column>>) =>
  (table: TableBuilder): TableBuilder => {
    let built = table;
    for (const [name, kind] of Object.entries(wanted)) {
      built = built.addColumn(name, type[kind], (column) => column.notNull());
    }
    return built;
  };

export const HEAD = {
  uid: 'text',
  name_id: 'text',
  id_key: 'text',
  version: 'bigint',
  create_ms: 'bigint',
  update_ms: 'bigint',
  doc: 'text',
} as const;
