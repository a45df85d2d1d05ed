import { type RawBuilder, sql } from 'kysely';
import { isUid } from '../../runtime/names.ts';
import { behindKey } from '../../store/sql/page.ts';
import { type Secret, secretName } from '../domain/secret.ts';
import type { SecretAt, SecretRecords } from '../ports.ts';
import { db, headRow, insertNamed, keyOf, readDoc, writeDoc } from './rows.ts';

const COLUMNS = ['doc', 'version'] as const;

type Stored = { readonly doc: string; readonly version: number };

const read = ({ doc, version }: Stored): Secret =>
  readDoc<Secret>(doc, { version: Number(version) });

const first = (row: Stored | undefined) => (row === undefined ? undefined : read(row));

const at = ({ project, idOrUid }: SecretAt): RawBuilder<boolean> =>
  isUid(idOrUid)
    ? sql<boolean>`uid = ${idOrUid.toLowerCase()} and project_key = ${keyOf(project)}`
    : sql<boolean>`project_key = ${keyOf(project)} and id_key = ${keyOf(idOrUid)}`;

const changeOf = ({ uid, projectUid }: Secret) => ({ kind: 'secret', uid, projectUid });

export const secretRecords: SecretRecords = {
  insert: async (tx, secret) => {
    const insert = db(tx)
      .insertInto('secret')
      .values({ ...headRow(secret), project_key: keyOf(secret.project) })
      .execute();
    await insertNamed(insert, secretName(secret));
    tx.change(changeOf(secret));
  },
  find: async (reader, where) =>
    first(
      await db(reader).selectFrom('secret').select(COLUMNS).where(at(where)).executeTakeFirst(),
    ),
  lock: async (tx, where) =>
    first(
      await db(tx)
        .updateTable('secret')
        .set({ version: sql<number>`version + 1` })
        .where(at(where))
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  save: async (tx, secret) => {
    await db(tx)
      .updateTable('secret')
      .set({ doc: writeDoc(secret) })
      .where('uid', '=', secret.uid)
      .execute();
    tx.change(changeOf(secret));
  },
  list: async (reader, { only }, page) => {
    if (only?.length === 0) return [];
    const rows = db(reader)
      .selectFrom('secret')
      .select(COLUMNS)
      .where(behindKey(['project_key', 'id_key'], page))
      .orderBy('project_key')
      .orderBy('id_key')
      .limit(page.limit);
    const seen = only === undefined ? rows : rows.where('project_key', 'in', only.map(keyOf));
    return (await seen.execute()).map(read);
  },
  remove: async (tx, secret) => {
    await db(tx).deleteFrom('secret').where('uid', '=', secret.uid).execute();
    tx.change({ ...changeOf(secret), deleted: true });
  },
};
