import { sql } from 'kysely';
import { behindKey } from '../../store/sql/page.ts';
import { type AppCertificate, certificateName } from '../domain/certificate.ts';
import type { CertificateRecords } from '../ports.ts';
import { called, db, headRow, insertNamed, readDoc, writeDoc } from './rows.ts';

const COLUMNS = ['doc', 'version'] as const;

type Stored = { readonly doc: string; readonly version: number };

const read = ({ doc, version }: Stored): AppCertificate =>
  readDoc<AppCertificate>(doc, { version: Number(version) });

const first = (row: Stored | undefined) => (row === undefined ? undefined : read(row));

export const certificateRecords: CertificateRecords = {
  insert: async (tx, certificate) => {
    const insert = db(tx)
      .insertInto('certificate')
      .values({ ...headRow(certificate), user_uid: certificate.userUid })
      .execute();
    await insertNamed(insert, certificateName(certificate));
    tx.change({ kind: 'certificate', uid: certificate.uid });
  },
  find: async (reader, idOrUid) =>
    first(
      await db(reader)
        .selectFrom('certificate')
        .select(COLUMNS)
        .where(called(idOrUid))
        .executeTakeFirst(),
    ),
  lock: async (tx, idOrUid) =>
    first(
      await db(tx)
        .updateTable('certificate')
        .set({ version: sql<number>`version + 1` })
        .where(called(idOrUid))
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  list: async (reader, { userUid }, page) => {
    const rows = db(reader)
      .selectFrom('certificate')
      .select(COLUMNS)
      .where(behindKey(['id_key'], page))
      .orderBy('id_key')
      .limit(page.limit);
    const owned = userUid === '' ? rows : rows.where('user_uid', '=', userUid);
    return (await owned.execute()).map(read);
  },
  remove: async (tx, { uid }) => {
    await db(tx).deleteFrom('certificate').where('uid', '=', uid).execute();
    tx.change({ kind: 'certificate', uid, deleted: true });
  },
  save: async (tx, certificate) => {
    await db(tx)
      .updateTable('certificate')
      .set({ version: certificate.version, doc: writeDoc(certificate) })
      .where('uid', '=', certificate.uid)
      .execute();
    tx.change({ kind: 'certificate', uid: certificate.uid });
  },
  removeOfUser: async (tx, userUid) => {
    const rows = await db(tx)
      .deleteFrom('certificate')
      .where('user_uid', '=', userUid)
      .returning('uid')
      .execute();
    for (const { uid } of rows) tx.change({ kind: 'certificate', uid, deleted: true });
  },
};
