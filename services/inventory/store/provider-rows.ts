/** Rows of providers: what their writes and their searches share. */
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { keyOf, type ProviderRecord, placedChangeKind } from '../domain/records.ts';
import { called, db, HEAD_COLUMNS, headOf, headRow } from './rows.ts';
import type { ProviderRow } from './tables.ts';

export const COLUMNS = [
  ...HEAD_COLUMNS,
  'partition_id',
  'parent_uid',
  'root_uid',
  'reserved_generation',
  'reserve_holder',
  'reserve_ms',
  'intent',
  'finished_holder',
  'observed',
] as const;

type Stored = Pick<ProviderRow, (typeof COLUMNS)[number]>;

export const read = (row: Stored): ProviderRecord => ({
  ...headOf(row),
  partition: row.partition_id,
  parentUid: row.parent_uid,
  rootUid: row.root_uid,
  observed: row.observed,
  reserved: {
    generation: Number(row.reserved_generation),
    holder: row.reserve_holder,
    sinceMs: Number(row.reserve_ms),
    intent: row.intent,
    finished: row.finished_holder,
  },
});

export const generationsOf = ({ generation, reserved }: ProviderRecord) => ({
  generation,
  reserved_generation: reserved.generation,
  reserve_holder: reserved.holder,
  reserve_ms: reserved.sinceMs,
  intent: reserved.intent,
  finished_holder: reserved.finished,
});

export const rowOf = (record: ProviderRecord) => ({
  ...headRow(record),
  ...generationsOf(record),
  partition_id: record.partition,
  partition_key: keyOf(record.partition),
  parent_uid: record.parentUid,
  root_uid: record.rootUid,
  observed: record.observed,
});

export const byName = (reader: Reader | Tx, partition: string, idOrUid: string) =>
  db(reader)
    .selectFrom('provider')
    .select(COLUMNS)
    .where('partition_key', '=', keyOf(partition))
    .where(called(idOrUid));

export const byUid = (reader: Reader | Tx, uid: string) =>
  db(reader).selectFrom('provider').select(COLUMNS).where('uid', '=', uid);

export const changeOf = ({ uid, partition }: Pick<ProviderRecord, 'uid' | 'partition'>) => ({
  kind: placedChangeKind('provider', partition),
  uid,
});
