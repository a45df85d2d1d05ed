/**
 * Who changed what, as audit rows, and past claims, written from the log of a partition. How far
 * the log is recorded stands beside them, in the same transaction: nothing is recorded twice.
 */
import { insertRows } from '../../store/sql/insert-rows.ts';
import { AUDIT_COLUMNS } from '../../store/sql/notes.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { SharedTables } from '../../store/sql/shared-tables.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type ClaimRecord, endMs, keyOf } from '../domain/claim.ts';
import type { LogEntry } from '../domain/command.ts';
import type { History } from '../ports.ts';
import { insertUses } from './past-uses.ts';
import type { HistoryTables } from './tables.ts';

const ACTOR = { principal: 'services/scheduler', requestId: '' };

/** Rows are written when there are so many, before more are made. */
const ROWS = 256;

export const createHistory = (store: Pick<SqlStore, 'transaction' | 'read'>): History => ({
  record: (partition, batches, endedBy) =>
    store.transaction(undefined, ACTOR, async (tx) => {
      const known = await lockNumber(tx, partition);
      let newest = known;
      let audits: ReturnType<typeof auditRow>[] = [];
      let ended: ClaimRecord[] = [];
      const write = async (): Promise<void> => {
        await insertAudits(tx, audits);
        await insertClaims(tx, ended);
        [audits, ended] = [[], []];
      };
      for (const batch of batches) {
        if (batch.number <= known) continue;
        newest = batch.number;
        const { atMs, entries } = batch;
        audits.push(...entries.map((entry) => auditRow(entry, { partition, atMs })));
        ended.push(...endedBy(batch));
        if (audits.length >= ROWS) await write();
      }
      await write();
      if (newest > known) await putNumber(tx, partition, newest);
    }),
  collected: (partition) =>
    store.read(async ({ kysely }) => {
      const row = await kysely<HistoryTables>()
        .selectFrom('past_log')
        .select('number')
        .where('partition', '=', keyOf(partition))
        .executeTakeFirst();
      return Number(row?.number ?? 0);
    }),
});

/**
 * How far the log is recorded; nobody else records it until the transaction ends. Two may want to,
 * one of them a leader of before.
 */
const lockNumber = async (tx: Tx, partition: string): Promise<number> => {
  const row = await tx
    .kysely<HistoryTables>()
    .insertInto('past_log')
    .values({ partition: keyOf(partition), number: 0 })
    .onConflict((conflict) =>
      conflict.column('partition').doUpdateSet(({ ref }) => ({ number: ref('past_log.number') })),
    )
    .returning('number')
    .executeTakeFirstOrThrow();
  return Number(row.number);
};

const putNumber = async (tx: Tx, partition: string, number: number): Promise<void> => {
  await tx
    .kysely<HistoryTables>()
    .updateTable('past_log')
    .set({ number })
    .where('partition', '=', keyOf(partition))
    .execute();
};

/** Not by tx.audit: each entry has its own principal and the time of its commit. */
const insertAudits = async (
  tx: Tx,
  rows: readonly ReturnType<typeof auditRow>[],
): Promise<void> => {
  const kysely = tx.kysely<SharedTables>();
  await insertRows(kysely, { table: 'audit', columns: AUDIT_COLUMNS, rows });
};

type AuditPlace = { readonly partition: string; readonly atMs: number };

const auditRow = (entry: LogEntry, { partition, atMs }: AuditPlace) => ({
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
  after: JSON.stringify(entry.after),
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
