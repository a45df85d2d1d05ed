import { sql } from 'kysely';
import type { Access } from '../../runtime/access.ts';
import { alreadyExists } from '../../runtime/errors.ts';
import { isUid } from '../../runtime/names.ts';
import { behindKey } from '../../store/sql/page.ts';
import { uniqueViolation } from '../../store/sql/store-error.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type Image, imageName, partToFetch } from '../domain/image.ts';
import type { ImageRecords } from '../ports.ts';
import { db, keyOf, readDoc, writeDoc } from './rows.ts';

const rowOf = (image: Image) => ({
  version: image.version,
  project_key: keyOf(image.project),
  state: image.state,
  fetching: partToFetch(image) === undefined ? 0 : 1,
  doc: writeDoc(image),
});

type Stored = { readonly doc: string; readonly version: number };

const read = ({ doc, version }: Stored): Image => readDoc<Image>(doc, { version: Number(version) });

const first = (row: Stored | undefined): Image | undefined =>
  row === undefined ? undefined : read(row);

const changed = (tx: Tx, image: Image, deleted: boolean): void =>
  tx.change({ kind: 'image', uid: image.uid, deleted });

const COLUMNS = ['doc', 'version'] as const;

export const imageRecords: ImageRecords = {
  insert: async (tx, image) => {
    const key = { uid: image.uid, id_key: keyOf(image.imageId), owner: null, lease_until_ms: 0 };
    try {
      await db(tx)
        .insertInto('image')
        .values({ ...key, ...rowOf(image) })
        .execute();
    } catch (error) {
      if (uniqueViolation(error)?.columns.includes('id_key') !== true) throw error;
      throw alreadyExists('ALREADY_EXISTS', `The image "${imageName(image)}" exists already`, {
        metadata: { name: imageName(image), type: 'runm.image' },
        cause: error,
      });
    }
    const parts = image.parts.map((part) => ({ image_uid: image.uid, sha256: part.sha256 }));
    await db(tx).insertInto('image_part').values(parts).execute();
    changed(tx, image, false);
  },
  lock: async (tx, uid) =>
    first(
      await db(tx)
        .updateTable('image')
        .set({ version: sql<number>`version + 1` })
        .where('uid', '=', uid)
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  hold: async (tx, uid) =>
    first(
      await db(tx)
        .updateTable('image')
        .set({ state: sql<string>`state` })
        .where('uid', '=', uid)
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  save: async (tx, image) => {
    await db(tx).updateTable('image').set(rowOf(image)).where('uid', '=', image.uid).execute();
    changed(tx, image, false);
  },
  remove: async (tx, image) => {
    await db(tx).deleteFrom('image_part').where('image_uid', '=', image.uid).execute();
    await db(tx).deleteFrom('image').where('uid', '=', image.uid).execute();
    changed(tx, image, true);
  },
  find: async (reader, idOrUid) => {
    const rows = db(reader).selectFrom('image').select(COLUMNS);
    const one = isUid(idOrUid)
      ? rows.where('uid', '=', idOrUid.toLowerCase())
      : rows.where('id_key', '=', keyOf(idOrUid));
    return first(await one.executeTakeFirst());
  },
  list: async (reader, access, page) => {
    const rows = await db(reader)
      .selectFrom('image')
      .select(COLUMNS)
      .where(visible(access))
      .where(behindKey(['id_key'], page))
      .orderBy('id_key')
      .limit(page.limit)
      .execute();
    return rows.map(read);
  },
  leaseImport: async (tx, { owner, untilMs, nowMs }) => {
    const next = await db(tx)
      .selectFrom('image')
      .select('uid')
      .where('fetching', '=', 1)
      .where('lease_until_ms', '<', nowMs)
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
    if (next === undefined) return undefined;
    return first(
      await db(tx)
        .updateTable('image')
        .set({ owner, lease_until_ms: untilMs })
        .where('uid', '=', next.uid)
        .where('lease_until_ms', '<', nowMs)
        .returning(COLUMNS)
        .executeTakeFirst(),
    );
  },
  extendImport: async (tx, { uid, owner, untilMs }) => {
    const result = await db(tx)
      .updateTable('image')
      .set({ lease_until_ms: untilMs })
      .where('uid', '=', uid)
      .where('owner', '=', owner)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  },
};

/** Shared images are everybody's who may read any; the rest belong to a project. */
const visible = (access: Access) => {
  if (access.everything) return sql<boolean>`1 = 1`;
  const projects = [...access.projects, ...access.pairs.map((pair) => pair.project), ''].map(keyOf);
  return sql<boolean>`project_key in (${sql.join(projects)})`;
};
