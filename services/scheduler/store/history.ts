/** Past changes, past claims and the audit rows of both, written from the log of a partition. */

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
      for (const batch of batches) {
        if (!known.has(batch.number)) await insertBatch(tx, partition, batch);
      }
      for (const claim of ended) await upsertClaim(tx, claim);
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

const insertBatch = async (tx: Tx, partition: string, batch: LogBatch): Promise<void> => {
  const { number, atMs, entries } = batch;
  if (entries.length === 0) return;
  const rows = entries.map((entry, position) => ({
    partition: keyOf(partition),
    number,
    position,
    at_ms: atMs,
    action: entry.action,
    object_uid: entry.objectUid,
    object_name: entry.objectName,
    project: entry.project,
    principal: entry.onBehalfOf ?? entry.principal,
    request_id: entry.requestId,
    after: JSON.stringify(entry.after),
  }));
  await tx.kysely<HistoryTables>().insertInto('past_change').values(rows).execute();
  // Not by tx.audit: each entry has its own principal and the time of its commit.
  const audits = entries.map((entry) => auditRow(entry, partition, atMs));
  await tx.kysely<SharedTables>().insertInto('audit').values(audits).execute();
};

const auditRow = (entry: LogEntry, partition: string, atMs: number) => ({
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

const upsertClaim = async (tx: Tx, claim: ClaimRecord): Promise<void> => {
  const row = {
    uid: claim.uid,
    partition: keyOf(claim.partition),
    project: keyOf(claim.project),
    claim_id: claim.claimId,
    create_ms: claim.createMs,
    end_ms: endMs(claim) ?? claim.updateMs,
    doc: JSON.stringify(claim),
  };
  await tx
    .kysely<HistoryTables>()
    .insertInto('past_claim')
    .values(row)
    .onConflict((conflict) => conflict.column('uid').doNothing())
    .execute();
  await insertUses(tx, claim);
};
