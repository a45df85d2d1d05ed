import { sql } from 'kysely';
import { behindKey } from '../../store/sql/page.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import type { Grant } from '../domain/grant.ts';
import { SYSTEM_ADMIN, type User, userName } from '../domain/user.ts';
import type { UserRecords } from '../ports.ts';
import { called, db, headRow, insertNamed, keyOf, readDoc, writeDoc } from './rows.ts';

const COLUMNS = ['uid', 'doc', 'version'] as const;

type Stored = { readonly uid: string; readonly doc: string; readonly version: number };

const withGrants = async (
  reader: Reader | Tx,
  rows: readonly Stored[],
): Promise<readonly User[]> => {
  if (rows.length === 0) return [];
  const grants = await db(reader)
    .selectFrom('role_grant')
    .select(['user_uid', 'doc'])
    .where(
      'user_uid',
      'in',
      rows.map(({ uid }) => uid),
    )
    .orderBy('role')
    .orderBy('partition_key')
    .orderBy('project_key')
    .execute();
  const byUser = Map.groupBy(grants, (grant) => grant.user_uid);
  return rows.map(({ uid, doc, version }) =>
    readDoc<User>(doc, {
      version: Number(version),
      grants: (byUser.get(uid) ?? []).map((row) => readDoc<Grant>(row.doc, {})),
    }),
  );
};

const first = async (reader: Reader | Tx, row: Stored | undefined): Promise<User | undefined> =>
  row === undefined ? undefined : (await withGrants(reader, [row]))[0];

const writeGrants = async (tx: Tx, { uid, grants }: User): Promise<void> => {
  await db(tx).deleteFrom('role_grant').where('user_uid', '=', uid).execute();
  if (grants.length === 0) return;
  await db(tx)
    .insertInto('role_grant')
    .values(
      grants.map((grant) => ({
        user_uid: uid,
        role: keyOf(grant.role),
        partition_key: keyOf(grant.partition),
        project_key: keyOf(grant.project),
        doc: writeDoc(grant),
      })),
    )
    .execute();
};

const changed = (tx: Tx, uid: string, deleted: boolean): void =>
  tx.change({ kind: 'user', uid, deleted });

export const userRecords: UserRecords = {
  insert: async (tx, user) => {
    const insert = db(tx).insertInto('person').values(headRow(user)).execute();
    await insertNamed(insert, userName(user));
    await writeGrants(tx, user);
    changed(tx, user.uid, false);
  },
  find: async (reader, idOrUid) =>
    first(
      reader,
      await db(reader)
        .selectFrom('person')
        .select(COLUMNS)
        .where(called(idOrUid))
        .executeTakeFirst(),
    ),
  lock: async (tx, idOrUid) =>
    first(
      tx,
      await db(tx)
        .updateTable('person')
        .set({ version: sql<number>`version + 1` })
        .where(called(idOrUid))
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  list: async (reader, _, page) => {
    const rows = await db(reader)
      .selectFrom('person')
      .select(COLUMNS)
      .where(behindKey(['id_key'], page))
      .orderBy('id_key')
      .limit(page.limit)
      .execute();
    return withGrants(reader, rows);
  },
  remove: async (tx, { uid }) => {
    await db(tx).deleteFrom('role_grant').where('user_uid', '=', uid).execute();
    await db(tx).deleteFrom('person').where('uid', '=', uid).execute();
    changed(tx, uid, true);
  },
  saveGrants: async (tx, user) => {
    await writeGrants(tx, user);
    await db(tx)
      .updateTable('person')
      .set({ version: user.version, doc: writeDoc(user) })
      .where('uid', '=', user.uid)
      .execute();
    changed(tx, user.uid, false);
  },
  countOtherAdmins: async (tx, userUid) => {
    // The row is the lock: on PostgreSQL a second transaction waits here and then sees what the
    // first wrote.
    await db(tx)
      .updateTable('guard')
      .set({ version: sql<number>`version + 1` })
      .where('name', '=', 'admins')
      .execute();
    const { count } = await db(tx)
      .selectFrom('role_grant')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('role', '=', SYSTEM_ADMIN.role)
      .where('partition_key', '=', '')
      .where('project_key', '=', '')
      .where('user_uid', '<>', userUid)
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  removeGrantsInProject: async (tx, project) => {
    const key = keyOf(project);
    const rows = await db(tx)
      .deleteFrom('role_grant')
      .where('project_key', '=', key)
      .returning('user_uid')
      .execute();
    for (const { user_uid } of rows) changed(tx, user_uid, false);
  },
};
