import { sql } from 'kysely';
import { type Definition, emptyDefinition } from '../domain/definition.ts';
import type { DefinitionRecords } from '../ports.ts';
import { db, headRow, readDoc, writeDoc } from './rows.ts';

type Stored = { readonly doc: string; readonly version: number };

const read = ({ doc, version }: Stored): Definition =>
  readDoc<Definition>(doc, { version: Number(version) });

export const definitionRecords: DefinitionRecords = {
  find: async (reader, kind) => {
    const empty = emptyDefinition(kind);
    if (empty === undefined) return undefined;
    const row = await db(reader)
      .selectFrom('definition')
      .select(['doc', 'version'])
      .where('id_key', '=', empty.id)
      .executeTakeFirst();
    return row === undefined ? empty : read(row);
  },
  list: async (reader) => {
    const rows = await db(reader)
      .selectFrom('definition')
      .select(['doc', 'version'])
      .orderBy('id_key')
      .execute();
    return rows.map(read);
  },
  lock: async (tx, kind) => {
    const empty = emptyDefinition(kind);
    if (empty === undefined) return undefined;
    // The first writer makes the row: there is something to lock before anybody has set it.
    const row = await db(tx)
      .insertInto('definition')
      .values(headRow({ ...empty, version: 1 }))
      .onConflict((conflict) =>
        conflict.column('id_key').doUpdateSet({ version: sql<number>`definition.version + 1` }),
      )
      .returning(['doc', 'version'])
      .executeTakeFirstOrThrow();
    return read(row);
  },
  save: async (tx, definition) => {
    await db(tx)
      .updateTable('definition')
      .set({ doc: writeDoc(definition) })
      .where('id_key', '=', definition.id)
      .execute();
    tx.change({ kind: 'definition', uid: definition.uid });
  },
};
