import { sql } from 'kysely';
import { behindKey } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type JoinToken, type Token, tokenName } from '../domain/token.ts';
import type { JoinTokenRecords, TokenRecords } from '../ports.ts';
import { called, db, headRow, insertNamed, readDoc, writeDoc } from './rows.ts';

const COLUMNS = ['doc', 'version', 'last_use_ms'] as const;

type Stored = { readonly doc: string; readonly version: number; readonly last_use_ms: number };

const read = ({ doc, version, last_use_ms }: Stored): Token =>
  readDoc<Token>(doc, { version: Number(version), lastUseMs: Number(last_use_ms) });

const first = (row: Stored | undefined) => (row === undefined ? undefined : read(row));

const gone = (tx: Tx, rows: readonly { readonly uid: string }[]): void => {
  for (const { uid } of rows) tx.change({ kind: 'token', uid, deleted: true });
};

export const tokenRecords: TokenRecords = {
  insert: async (tx, token) => {
    const insert = db(tx)
      .insertInto('token')
      .values({
        ...headRow(token),
        user_uid: token.userUid,
        hash: token.hash,
        expire_ms: token.expireMs,
        last_use_ms: token.lastUseMs,
      })
      .execute();
    await insertNamed(insert, tokenName(token));
    tx.change({ kind: 'token', uid: token.uid });
  },
  find: async (reader, idOrUid) =>
    first(
      await db(reader)
        .selectFrom('token')
        .select(COLUMNS)
        .where(called(idOrUid))
        .executeTakeFirst(),
    ),
  lock: async (tx, idOrUid) =>
    first(
      await db(tx)
        .updateTable('token')
        .set({ version: sql<number>`version + 1` })
        .where(called(idOrUid))
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  list: async (reader, { userUid }, page) => {
    const rows = db(reader)
      .selectFrom('token')
      .select(COLUMNS)
      .where(behindKey(['id_key'], page))
      .orderBy('id_key')
      .limit(page.limit);
    const owned = userUid === '' ? rows : rows.where('user_uid', '=', userUid);
    return (await owned.execute()).map(read);
  },
  remove: async (tx, { uid }) => {
    await db(tx).deleteFrom('token').where('uid', '=', uid).execute();
    gone(tx, [{ uid }]);
  },
  findByHash: async (reader, hash) =>
    first(
      await db(reader)
        .selectFrom('token')
        .select(COLUMNS)
        .where('hash', '=', hash)
        .executeTakeFirst(),
    ),
  removeOfUser: async (tx, userUid) => {
    const rows = await db(tx)
      .deleteFrom('token')
      .where('user_uid', '=', userUid)
      .returning('uid')
      .execute();
    gone(tx, rows);
  },
  noteUse: async (tx, uid, lastUseMs) => {
    await db(tx)
      .updateTable('token')
      .set({ last_use_ms: lastUseMs })
      .where('uid', '=', uid)
      .where('last_use_ms', '<', lastUseMs)
      .execute();
  },
  removeExpired: async (tx, beforeMs, limit) => {
    const old = await db(tx)
      .selectFrom('token')
      .select('uid')
      .where('expire_ms', '<', beforeMs)
      .limit(limit)
      .execute();
    const uids = old.map(({ uid }) => uid);
    if (uids.length > 0) await db(tx).deleteFrom('token').where('uid', 'in', uids).execute();
    gone(tx, old);
    return uids.length;
  },
};

export const joinTokenRecords: JoinTokenRecords = {
  insert: async (tx, token) => {
    await db(tx)
      .insertInto('join_token')
      .values({
        uid: token.uid,
        hash: token.hash,
        expire_ms: token.expireMs,
        burned_ms: token.burnedMs,
        doc: writeDoc(token),
      })
      .execute();
  },
  findByHash: async (reader, hash) => {
    const row = await db(reader)
      .selectFrom('join_token')
      .select(['doc', 'burned_ms'])
      .where('hash', '=', hash)
      .executeTakeFirst();
    return row && readDoc<JoinToken>(row.doc, { burnedMs: Number(row.burned_ms) });
  },
  burn: async (tx, uid, nowMs) => {
    const result = await db(tx)
      .updateTable('join_token')
      .set({ burned_ms: nowMs })
      .where('uid', '=', uid)
      .where('burned_ms', '=', 0)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  },
  removeOld: async (tx, beforeMs, limit) => {
    const rows = await db(tx)
      .selectFrom('join_token')
      .select('uid')
      .where('expire_ms', '<', beforeMs)
      .limit(limit)
      .execute();
    const uids = rows.map(({ uid }) => uid);
    if (uids.length > 0) await db(tx).deleteFrom('join_token').where('uid', 'in', uids).execute();
    return uids.length;
  },
};
