import type { IdentifierConflict } from '../domain/identifier-conflict.ts';
import { conflictKey } from '../domain/identifier-conflict.ts';
import type { ConflictRecords } from '../provider-ports.ts';
import { db, readDoc, writeDoc } from './rows.ts';

const read = ({ doc }: { readonly doc: string }): IdentifierConflict =>
  readDoc<IdentifierConflict>(doc, {});

export const conflictRecords: ConflictRecords = {
  replace: async (tx, providerUid, conflicts) => {
    const rows = await db(tx)
      .selectFrom('provider_conflict')
      .select(['conflict_key', 'doc'])
      .where('provider_uid', '=', providerUid)
      .orderBy('id')
      .execute();
    const known = new Map(rows.map((row) => [row.conflict_key, read(row)]));
    const shown = new Map(conflicts.map((one) => [conflictKey(one), one]));
    const began = [...shown].filter(([key]) => !known.has(key));
    const ended = [...known].filter(([key]) => !shown.has(key));
    if (ended.length > 0) {
      const keys = ended.map(([key]) => key);
      await db(tx)
        .deleteFrom('provider_conflict')
        .where('provider_uid', '=', providerUid)
        .where('conflict_key', 'in', keys)
        .execute();
    }
    if (began.length > 0) {
      const added = began.map(([key, one]) => ({
        provider_uid: providerUid,
        conflict_key: key,
        doc: writeDoc(one),
      }));
      await db(tx).insertInto('provider_conflict').values(added).execute();
    }
    return { began: began.map(([, one]) => one), ended: ended.map(([, one]) => one) };
  },
  remove: async (tx, providerUid) => {
    await db(tx).deleteFrom('provider_conflict').where('provider_uid', '=', providerUid).execute();
  },
};
