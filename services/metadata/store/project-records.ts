import { sql } from 'kysely';
import { behindKey } from '../../store/sql/page.ts';
import { type Project, projectName } from '../domain/project.ts';
import type { ProjectFilter, ProjectRecords } from '../ports.ts';
import { called, db, headRow, insertNamed, keyOf, readDoc, writeDoc } from './rows.ts';

const COLUMNS = ['doc', 'version'] as const;

type Stored = { readonly doc: string; readonly version: number };

const read = ({ doc, version }: Stored): Project => ({
  ...BEFORE_THE_TREE,
  ...readDoc<Project>(doc, { version: Number(version) }),
});

// What rows of earlier releases do not say.
const BEFORE_THE_TREE = { generation: 1, parent: '', contacts: [] } as const;

const first = (row: Stored | undefined) => (row === undefined ? undefined : read(row));

export const projectRecords: ProjectRecords = {
  insert: async (tx, project) => {
    const insert = db(tx)
      .insertInto('project')
      .values({ ...headRow(project), parent_key: keyOf(project.parent) })
      .execute();
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
  save: async (tx, project) => {
    await db(tx)
      .updateTable('project')
      .set({ doc: writeDoc(project) })
      .where('uid', '=', project.uid)
      .execute();
    tx.change({ kind: 'project', uid: project.uid });
  },
  hold: async (tx, idOrUid) =>
    first(
      await db(tx)
        .updateTable('project')
        .set({ version: sql<number>`version` })
        .where(called(idOrUid))
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  childrenOf: async (reader, id, limit) => {
    const rows = await db(reader)
      .selectFrom('project')
      .select(COLUMNS)
      .where('parent_key', '=', keyOf(id))
      .orderBy('id_key')
      .limit(limit)
      .execute();
    return rows.map((row) => read(row).id);
  },
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
