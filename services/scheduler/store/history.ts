/** Past changes, past claims and the audit rows of both, written from the log of a partition. */
import { insertRows } from '../../store/sql/insert-rows.ts';
import { AUDIT_COLUMNS } from '../../store/sql/notes.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { SharedTables } from '../../store/sql/shared-tables.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type ClaimRecord, endMs, keyOf } from '../domain/claim.ts';
import type { LogBatch, LogEntry } from '../domain/command.ts';
import type { History } from '../ports.ts';
import { insertUses } from './past-uses.ts';
import type { HistoryTables } from './tables.ts';

const ACTOR = { principal: 'services/scheduler', requestId: '' };

export const createHistory = (store: Pick<SqlStore, 'transaction' | 'read'>): History => ({
  record: (partition, batches, ended) =>
    store.transaction(undefined, ACTOR, async (tx) => {
      const known = await knownNumbers(tx, partition, batches);
      const fresh = batches.filter(({ number }) => !known.has(number));
      await insertBatches(tx, partition, fresh);
      await insertClaims(tx, ended);
    }),
  collected: (partition) =>
    store.read(async ({ kysely }) => {
      const row = await kysely<HistoryTables>()
        .selectFrom('past_change')
        .select(({ fn }) => fn.max('number').as('newest'))
        .where('partition', '=', keyOf(partition))
        .executeTakeFirst();
      return Number(row?.newest ?? 0);
    }),
});

const knownNumbers = async (
  tx: Tx,
  partition: string,
  batches: readonly LogBatch[],
): Promise<ReadonlySet<number>> => {
  const rows = await tx
    .kysely<HistoryTables>()
    .selectFrom('past_change')
    .select('number')
    .distinct()
    .where('partition', '=', keyOf(partition))
    .where(
      'number',
      'in',
      batches.map(({ number }) => number),
    )
    .execute();
  return new Set(rows.map(({ number }) => Number(number)));
};

const insertBatches = async (
  tx: Tx,
  partition: string,
  batches: readonly LogBatch[],
): Promise<void> => {
  const rows = batches.flatMap(({ number, atMs, entries }) =>
    entries.map((entry, position) => {
      const after = JSON.stringify(entry.after);
      const change = changeRow(entry, { partition: keyOf(partition), number, position, after });
      // Not by tx.audit: each entry has its own principal and the time of its commit.
      const audit = auditRow(entry, { partition, atMs, after });
      return { change: { ...change, at_ms: atMs }, audit };
    }),
  );
  const kysely = tx.kysely<HistoryTables & SharedTables>();
  const changes = rows.map(({ change }) => change);
  await insertRows(kysely, { table: 'past_change', columns: CHANGE_COLUMNS, rows: changes });
  const audits = rows.map(({ audit }) => audit);
  await insertRows(kysely, { table: 'audit', columns: AUDIT_COLUMNS, rows: audits });
};

type ChangePlace = {
  readonly partition: string;
  readonly number: number;
  readonly position: number;
  readonly after: string;
};

const changeRow = (entry: LogEntry, place: ChangePlace) => ({
  ...place,
  action: entry.action,
  object_uid: entry.objectUid,
  object_name: entry.objectName,
  project: entry.project,
  principal: entry.onBehalfOf ?? entry.principal,
  request_id: entry.requestId,
});

const CHANGE_COLUMNS = {
  partition: 'text',
  number: 'bigint',
  position: 'bigint',
  at_ms: 'bigint',
  action: 'text',
  object_uid: 'text',
  object_name: 'text',
  project: 'text',
  principal: 'text',
  request_id: 'text',
  after: 'text',
} as const;

type AuditPlace = { readonly partition: string; readonly atMs: number; readonly after: string };

const auditRow = (entry: LogEntry, { partition, atMs, after }: AuditPlace) => ({
  at_ms: atMs,
  principal: entry.principal,
  on_behalf_of: entry.onBehalfOf ?? null,
  request_id: entry.requestId,
  action: entry.action,
  object_kind: entry.objectKind,
  object_uid: entry.objectUid,
  object_name: entry.objectName,
  project_uid: entry.project === '' ? null : entry.project,
  partition,
  before: null,
  after,
});

/** Repeating it does nothing. */
const insertClaims = async (tx: Tx, claims: readonly ClaimRecord[]): Promise<void> => {
  const kysely = tx.kysely<HistoryTables>();
  const rows = claims.map(claimRow);
  const columns = CLAIM_COLUMNS;
  await insertRows(kysely, { table: 'past_claim', columns, rows, conflict: 'keep' });
  await insertUses(tx, claims);
};

const CLAIM_COLUMNS = {
  uid: 'text',
  partition: 'text',
  project: 'text',
  claim_id: 'text',
  create_ms: 'bigint',
  end_ms: 'bigint',
  doc: 'text',
} as const;

const claimRow = (claim: ClaimRecord) => ({
  uid: claim.uid,
  partition: keyOf(claim.partition),
  project: keyOf(claim.project),
  claim_id: claim.claimId,
  create_ms: claim.createMs,
  end_ms: endMs(claim) ?? claim.updateMs,
  doc: JSON.stringify(claim),
});
