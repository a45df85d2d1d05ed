/** How far providers and groups say that they are from groups: what keeps those from deletion. */
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { keyOf, type PlaceDistance } from '../domain/records.ts';
import { chunksOf } from './chunks.ts';
import { db } from './rows.ts';

/** Names that an error lists; more would not help. */
export const NAMES_MAX = 10;

type Source = { readonly uid: string; readonly name: string; readonly partition: string };

type DistancesOf = { readonly source: Source; readonly distances: readonly PlaceDistance[] };

const COLUMNS = 6;

export const writeDistances = async (tx: Tx, all: readonly DistancesOf[]): Promise<void> => {
  const rows = all.flatMap(({ source: { uid, name, partition }, distances }) =>
    distances.map(({ type, group, step }) => ({
      source_uid: uid,
      source_name: name,
      partition_key: keyOf(partition),
      group_key: keyOf(group),
      type_code: type,
      step,
    })),
  );
  for (const chunk of chunksOf(rows, COLUMNS)) {
    await db(tx)
      .insertInto('place_distance')
      .values([...chunk])
      .execute();
  }
};

export const removeDistances = async (tx: Tx, uids: readonly string[]): Promise<void> => {
  await db(tx)
    .deleteFrom('place_distance')
    .where('source_uid', 'in', [...uids])
    .execute();
};

export const namesWithDistanceTo = async (
  reader: Reader,
  group: { readonly partition: string; readonly id: string },
): Promise<readonly string[]> => {
  const rows = await db(reader)
    .selectFrom('place_distance')
    .select('source_name')
    .distinct()
    .where('partition_key', '=', keyOf(group.partition))
    .where('group_key', '=', keyOf(group.id))
    .orderBy('source_name')
    .limit(NAMES_MAX)
    .execute();
  return rows.map(({ source_name }) => source_name);
};

export const namesWithDistanceOf = async (
  reader: Reader,
  type: string,
  stepsKept: readonly string[],
): Promise<readonly string[]> => {
  const used = db(reader)
    .selectFrom('place_distance')
    .select('source_name')
    .distinct()
    .where('type_code', '=', type);
  const rows = await (stepsKept.length === 0 ? used : used.where('step', 'not in', [...stepsKept]))
    .orderBy('source_name')
    .limit(NAMES_MAX)
    .execute();
  return rows.map(({ source_name }) => source_name);
};
