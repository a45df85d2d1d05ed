/**
 * By what hardware is told apart, unique in a partition whoever says it: an identifier has one row,
 * which belongs to one provider and tells whether it is declared, observed or both. The unique
 * index decides between two that come at once; nothing is looked up before it is written.
 */

import { sql } from 'kysely';
import { type ColumnTypes, insertRows } from '../../store/sql/insert-rows.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import type { Holder, Identifier, Taken } from '../domain/identifiers.ts';
import { keyOf, type ProviderRecord } from '../domain/records.ts';
import { chunksOf } from './chunks.ts';
import { db } from './rows.ts';

export type Claimed = {
  readonly record: Pick<ProviderRecord, 'uid' | 'partition'>;
  readonly identifiers: readonly Identifier[];
};

export type Refused = { readonly record: Claimed['record']; readonly taken: readonly Taken[] };

/** Who says it: the operator, or the hardware itself. */
export type Origin = 'declared' | 'observed';

/**
 * Gives the identifiers to their providers and takes away what they had of that origin before.
 * Answers what others have; those are not given, and the caller undoes the rest where it must.
 */
export const claimIdentifiers = async (
  tx: Tx,
  origin: Origin,
  claims: readonly (Claimed & { readonly isNew: boolean })[],
): Promise<readonly Refused[]> => {
  const known = claims.filter(({ isNew }) => !isNew).map(({ record }) => record.uid);
  await giveUp(tx, origin, known);
  const rows = new Map<string, Row>();
  let claimed = 0;
  for (const { record, identifiers } of claims) {
    claimed += identifiers.length;
    for (const { key } of identifiers) {
      // Of two that claim the same here the first gets it: a statement writes no row twice.
      if (!rows.has(key)) rows.set(key, rowOf(record, key, origin));
    }
  }
  // In one order, so that two who write the same ones do not wait for each other in a circle.
  const ordered = [...rows.values()].sort((a, b) => (a.identifier < b.identifier ? -1 : 1));
  const written = await insertThose(tx, origin, ordered);
  return written === claimed ? [] : await refusedOf(tx, claims);
};

type Row = {
  readonly provider_uid: string;
  readonly partition_key: string;
  readonly identifier: string;
  readonly declared: number;
  readonly observed: number;
};

const COLUMNS: ColumnTypes<Row> = {
  provider_uid: 'text',
  partition_key: 'text',
  identifier: 'text',
  declared: 'bigint',
  observed: 'bigint',
};

const rowOf = (record: Claimed['record'], identifier: string, origin: Origin): Row => ({
  provider_uid: record.uid,
  partition_key: keyOf(record.partition),
  identifier,
  declared: origin === 'declared' ? 1 : 0,
  observed: origin === 'observed' ? 1 : 0,
});

/** How many are their own now. */
const insertThose = (tx: Tx, origin: Origin, rows: readonly Row[]): Promise<number> =>
  insertRows(db(tx), {
    table: 'provider_identifier',
    columns: COLUMNS,
    rows,
    conflict: sql`on conflict (partition_key, identifier) do update set ${sql.ref(origin)} = 1
      where provider_identifier.provider_uid = excluded.provider_uid`,
  });

const giveUp = async (tx: Tx, origin: Origin, uids: readonly string[]): Promise<void> => {
  if (uids.length === 0) return;
  const other = origin === 'declared' ? 'observed' : 'declared';
  await db(tx)
    .deleteFrom('provider_identifier')
    .where('provider_uid', 'in', [...uids])
    .where(other, '=', 0)
    .execute();
  await db(tx)
    .updateTable('provider_identifier')
    .set({ [origin]: 0 })
    .where('provider_uid', 'in', [...uids])
    .where(origin, '=', 1)
    .execute();
};

/** Compares what was claimed with whose it is. */
const refusedOf = async (tx: Tx, claims: readonly Claimed[]): Promise<readonly Refused[]> => {
  const [first] = claims;
  if (first === undefined) return [];
  const keys = claims.flatMap(({ identifiers }) => identifiers.map(({ key }) => key));
  const holders = await holdersOf(tx, first.record.partition, keys);
  return claims.flatMap(({ record, identifiers }) => {
    const taken = identifiers.flatMap((identifier): Taken[] => {
      const holder = holders.get(identifier.key);
      return holder === undefined || holder.uid === record.uid ? [] : [{ identifier, holder }];
    });
    return taken.length === 0 ? [] : [{ record, taken }];
  });
};

/** Who has them, by key. */
export const holdersOf = async (
  reader: Reader | Tx,
  partition: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Holder>> => {
  const found = new Map<string, Holder>();
  for (const chunk of chunksOf([...new Set(keys)], 1)) {
    const rows = await db(reader)
      .selectFrom('provider_identifier')
      .innerJoin('provider', 'provider.uid', 'provider_identifier.provider_uid')
      .select(['identifier', 'provider.uid', 'provider.name_id', 'provider.partition_id'])
      .where('provider_identifier.partition_key', '=', keyOf(partition))
      .where('identifier', 'in', [...chunk])
      .execute();
    for (const { identifier, uid, name_id, partition_id } of rows) {
      found.set(identifier, { uid, id: name_id, partition: partition_id });
    }
  }
  return found;
};

export const removeIdentifiers = async (tx: Tx, uids: readonly string[]): Promise<void> => {
  await db(tx)
    .deleteFrom('provider_identifier')
    .where('provider_uid', 'in', [...uids])
    .execute();
};
