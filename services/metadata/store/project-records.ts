import { sql } from 'kysely';
import { behindKey } from '../../store/sql/page.ts';
import { type Project, projectName } from '../domain/project.ts';
import type { ProjectFilter, ProjectRecords } from '../ports.ts';
import { called, db, headRow, insertNamed, keyOf, readDoc } from './rows.ts';

const COLUMNS = ['doc', 'version'] as const;

type Stored = { readonly doc: string; readonly version: number };

const read = ({ doc, version }: Stored): Project =>
  readDoc<Project>(doc, { version: Number(version) });

const first = (row: Stored | undefined) => (row === undefined ? undefined : read(row));

export const projectRecords: ProjectRecords = {
  insert: async (tx, project) => {
    const insert = db(tx).insertInto('project').values(headRow(project)).execute();
    await insertNamed(insert, projectName(project));
    tx.change({ kind: 'project', uid: project.uid });
  },
  find: async (reader, idOrUid) =>
    first(
      await db(reader)
        .selectFrom('project')
        .select(COLUMNS)
        .where(called(idOrUid))
        .executeTakeFirst(),
    ),
  lock: async (tx, idOrUid) =>
    first(
      await db(tx)
        .updateTable('project')
        .set({ version: sql<number>`version + 1` })
        .where(called(idOrUid))
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  list: async (reader, filter, page) => {
    const rows = await db(reader)
      .selectFrom('project')
      .select(COLUMNS)
      .where(visible(filter))
      .where(behindKey(['id_key'], page))
      .orderBy('id_key')
      .limit(page.limit)
      .execute();
    return rows.map(read);
  },
  remove: async (tx, { uid }) => {
    await db(tx).deleteFrom('project').where('uid', '=', uid).execute();
    tx.change({ kind: 'project', uid, deleted: true });
  },
};

const visible = ({ only }: ProjectFilter) => {
  if (only === undefined) return sql<boolean>`1 = 1`;
  if (only.length === 0) return sql<boolean>`1 = 0`;
  return sql<boolean>`id_key in (${sql.join(only.map(keyOf))})`;
};
