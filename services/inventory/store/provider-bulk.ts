/** Many providers at once: a few statements for any number, all in the caller's transaction. */
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { type ColumnTypes, insertRows } from '../../store/sql/insert-rows.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ProviderRecord } from '../domain/records.ts';
import type { ProviderRecords, ProviderWrite, Refusal } from '../ports.ts';
import { chunksOf } from './chunks.ts';
import { claimDeclared } from './controllers.ts';
import { writeDistances } from './place-distances.ts';
import { claimIdentifiers } from './provider-identifiers.ts';
import { removeParts, sourceOf, writeTerms } from './provider-parts.ts';
import { changeOf, rowOf } from './provider-rows.ts';
import { db } from './rows.ts';

export const writeProviders: ProviderRecords['writeAll'] = async (tx, writes) => {
  const added = writes.filter(({ isNew }) => isNew).map(({ record }) => record);
  const changed = writes.filter(({ isNew }) => !isNew).map(({ record }) => record);
  const nameless = await insertAll(tx, added);
  if (nameless.length > 0) return nameless;
  await updateAll(tx, changed);
  await removeParts(
    tx,
    changed.map(({ uid }) => uid),
  );
  const refused = await claimDeclared(tx, writes.map(claimOf));
  if (refused.length > 0) return refused.map(({ record, taken }) => ({ uid: record.uid, taken }));
  await writeTerms(
    tx,
    writes.map(({ record, parts, isNew }) => ({ record, terms: parts.terms, isNew })),
  );
  await writeDistances(
    tx,
    writes.map(({ record, parts }) => ({
      source: sourceOf(record),
      distances: parts.distances,
    })),
  );
  for (const { record } of writes) tx.change(changeOf(record));
  return [];
};

const claimOf = ({ record, parts, isNew }: ProviderWrite) => ({
  record,
  identifiers: parts.identifiers,
  isNew,
});

const COLUMNS: ColumnTypes<ReturnType<typeof rowOf>> = {
  uid: 'text',
  name_id: 'text',
  id_key: 'text',
  version: 'bigint',
  generation: 'bigint',
  create_ms: 'bigint',
  update_ms: 'bigint',
  doc: 'text',
  reserved_generation: 'bigint',
  reserve_holder: 'text',
  reserve_ms: 'bigint',
  intent: 'text',
  finished_holder: 'text',
  partition_id: 'text',
  partition_key: 'text',
  parent_uid: 'text',
  root_uid: 'text',
  observed: 'text',
};

/** Those whose name somebody took meanwhile. */
const insertAll = async (
  tx: Tx,
  records: readonly ProviderRecord[],
): Promise<readonly Refusal[]> => {
  const written = await insertRows(db(tx), {
    table: 'provider',
    columns: COLUMNS,
    rows: records.map(rowOf),
    conflict: sql`on conflict (partition_key, id_key) do nothing`,
  });
  if (written === records.length) return [];
  const uids = records.map(({ uid }) => uid);
  const rows = await db(tx).selectFrom('provider').select('uid').where('uid', 'in', uids).execute();
  const there = new Set(rows.map(({ uid }) => uid));
  return uids.filter((uid) => !there.has(uid)).map((uid) => ({ uid, taken: [] }));
};

const UPDATED_COLUMNS = 10;

/** The caller has locked the rows, so they are there. What it does not change is not written. */
const updateAll = async (tx: Tx, records: readonly ProviderRecord[]): Promise<void> => {
  for (const chunk of chunksOf(records, UPDATED_COLUMNS)) {
    const rows = chunk.map(
      ({ uid, version, generation, updateMs, doc, reserved }) => sql`(
        cast(${uid} as text), cast(${version} as bigint), cast(${generation} as bigint),
        cast(${updateMs} as bigint), cast(${doc} as text), cast(${reserved.generation} as bigint),
        cast(${reserved.holder} as text), cast(${reserved.sinceMs} as bigint),
        cast(${reserved.intent} as text), cast(${reserved.finished} as text))`,
    );
    // Both databases name the columns of a list of values so.
    const { numAffectedRows } = await sql`
      update provider set version = v.column2, generation = v.column3, update_ms = v.column4,
        doc = v.column5, reserved_generation = v.column6, reserve_holder = v.column7,
        reserve_ms = v.column8, intent = v.column9, finished_holder = v.column10
      from (values ${sql.join(rows)}) as v where provider.uid = v.column1`.execute(db(tx));
    assert(numAffectedRows === BigInt(chunk.length));
  }
};

export const claimObserved: ProviderRecords['claimObserved'] = async (tx, record, identifiers) => {
  const [refused] = await claimIdentifiers(tx, 'observed', [{ record, identifiers, isNew: false }]);
  return refused?.taken ?? [];
};

export const saveObserved: ProviderRecords['saveObserved'] = async (tx, record, tell) => {
  const { observed, version, doc } = record;
  const { numUpdatedRows } = await db(tx)
    .updateTable('provider')
    .set({ observed, version, doc })
    .where('uid', '=', record.uid)
    .executeTakeFirstOrThrow();
  assert(numUpdatedRows === 1n);
  if (tell) tx.change(changeOf(record));
};
