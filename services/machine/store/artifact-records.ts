/** Files in parts of 1 MiB in SQL, so that every replica can serve them and a backup holds them. */
import { sql } from 'kysely';
import type { Clock } from '../../runtime/clock.ts';
import { ARTIFACT_PART_BYTES, type ArtifactRecords } from '../ports.ts';
import { db } from './rows.ts';

export const createArtifactRecords = (clock: Clock): ArtifactRecords => ({
  begin: async (tx, { uid, sha256 }) => {
    const row = { uid, sha256, size_bytes: 0, complete: 0, update_ms: clock.now().getTime() };
    await db(tx).insertInto('artifact').values(row).execute();
  },
  addPart: async (tx, { uid, position, data }) => {
    if (position % ARTIFACT_PART_BYTES !== 0 || data.length > ARTIFACT_PART_BYTES) {
      throw new Error(`A part of ${data.length} bytes at ${position} does not fit the grid`);
    }
    await db(tx)
      .insertInto('artifact_part')
      .values({ artifact_uid: uid, position, data })
      .execute();
    await db(tx)
      .updateTable('artifact')
      .set({ update_ms: clock.now().getTime() })
      .where('uid', '=', uid)
      .execute();
  },
  complete: async (tx, { uid, sha256, sizeBytes }) => {
    const other = await db(tx)
      .selectFrom('artifact')
      .select('uid')
      .where('sha256', '=', sha256)
      .where('complete', '=', 1)
      .executeTakeFirst();
    if (other !== undefined) {
      // Its parts go with the next sweep: deleting hundreds of megabytes would hold up this
      // transaction.
      await db(tx).updateTable('artifact').set({ update_ms: 0 }).where('uid', '=', uid).execute();
      return;
    }
    await db(tx)
      .updateTable('artifact')
      .set({ complete: 1, size_bytes: sizeBytes, update_ms: clock.now().getTime() })
      .where('uid', '=', uid)
      .execute();
  },
  drop: async (tx, uid) => {
    const part = await db(tx)
      .deleteFrom('artifact_part')
      .where('id', 'in', (from) =>
        from.selectFrom('artifact_part').select('id').where('artifact_uid', '=', uid).limit(64),
      )
      .executeTakeFirst();
    if (part.numDeletedRows === 0n) {
      await db(tx).deleteFrom('artifact').where('uid', '=', uid).execute();
    }
  },
  find: async (reader, sha256) => {
    const row = await db(reader)
      .selectFrom('artifact')
      .select(['uid', 'sha256', 'size_bytes'])
      .where('sha256', '=', sha256)
      .where('complete', '=', 1)
      .executeTakeFirst();
    return row === undefined
      ? undefined
      : { uid: row.uid, sha256: row.sha256, sizeBytes: Number(row.size_bytes) };
  },
  readPart: async (reader, artifactUid, position) => {
    const row = await db(reader)
      .selectFrom('artifact_part')
      .select('data')
      .where('artifact_uid', '=', artifactUid)
      .where('position', '=', position)
      .executeTakeFirst();
    return row?.data;
  },
  unused: async (reader, beforeMs, limit) => {
    const rows = await db(reader)
      .selectFrom('artifact')
      .select('uid')
      .where('update_ms', '<', beforeMs)
      .where(sql<boolean>`(complete = 0 or sha256 not in (select sha256 from image_part))`)
      .orderBy('update_ms')
      .limit(limit)
      .execute();
    return rows.map((row) => row.uid);
  },
});
