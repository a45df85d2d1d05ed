/** What past claims used, a row per claim and resource type: reports read no record of a claim. */
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { insertRows } from '../../store/sql/insert-rows.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type ClaimRecord, keyOf } from '../domain/claim.ts';
import { useOf } from '../domain/claim-use.ts';
import type { PastUse, PastUses, UseQuery } from '../ports.ts';
import type { HistoryTables, PastUseRow } from './tables.ts';

/** Rows of one statement. */
const PAGE = 20_000;

export const createPastUses = (store: Pick<SqlStore, 'read'>): PastUses => ({
  pages: async function* (query) {
    for (let after: Cursor | undefined; ; ) {
      const rows = await readPage(store, query, after);
      if (rows.length > 0) yield rows.map(useOfRow);
      const last = rows.at(-1);
      if (rows.length < PAGE || last === undefined) return;
      after = { toMs: Number(last.to_ms), id: Number(last.id) };
    }
  },
});

/** Repeating it does nothing. */
export const insertUses = async (tx: Tx, claims: readonly ClaimRecord[]): Promise<void> => {
  const rows = claims.flatMap(useRows);
  const kysely = tx.kysely<HistoryTables>();
  await insertRows(kysely, { table: 'past_use', columns: USE_COLUMNS, rows, conflict: 'keep' });
};

const USE_COLUMNS = {
  claim_uid: 'text',
  partition: 'text',
  project: 'text',
  owner: 'text',
  consumer_type: 'text',
  resource_type: 'text',
  amount: 'bigint',
  from_ms: 'bigint',
  to_ms: 'bigint',
} as const;

/** The rows of an ended claim; none where it was released before it began. */
export const useRows = (claim: ClaimRecord): Omit<PastUseRow, 'id'>[] => {
  const use = useOf(claim);
  if (use === undefined) return [];
  return [...use.amounts].map(([resource_type, amount]) => ({
    claim_uid: use.claimUid,
    partition: keyOf(claim.partition),
    project: use.project,
    owner: use.owner,
    consumer_type: use.consumerType,
    resource_type,
    amount,
    from_ms: use.fromMs,
    to_ms: use.toMs,
  }));
};

type Cursor = { readonly toMs: number; readonly id: number };

const readPage = (store: Pick<SqlStore, 'read'>, query: UseQuery, after: Cursor | undefined) =>
  store.read(({ kysely }) => {
    let select = kysely<HistoryTables>()
      .selectFrom('past_use')
      .selectAll()
      .where('to_ms', '>', query.fromMs)
      .where('from_ms', '<', query.untilMs)
      .where((where) => isWithin(where, query));
    if (query.partition !== undefined) {
      select = select.where('partition', '=', keyOf(query.partition));
    }
    if (query.project !== undefined) select = select.where('project', '=', keyOf(query.project));
    if (after !== undefined) {
      select = select.where(sql<SqlBool>`(to_ms, id) > (${after.toMs}, ${after.id})`);
    }
    return select.orderBy('to_ms').orderBy('id').limit(PAGE).execute();
  });

/** What the caller may see. */
const isWithin = (
  where: ExpressionBuilder<HistoryTables, 'past_use'>,
  { access }: UseQuery,
): Expression<SqlBool> => {
  if (access.everything) return sql<SqlBool>`1 = 1`;
  const parts: Expression<SqlBool>[] = access.pairs.map(({ partition, project }) =>
    where.and([where('partition', '=', keyOf(partition)), where('project', '=', keyOf(project))]),
  );
  if (access.projects.size > 0) parts.push(where('project', 'in', keysOf(access.projects)));
  if (access.partitions.size > 0) parts.push(where('partition', 'in', keysOf(access.partitions)));
  return parts.length === 0 ? sql<SqlBool>`1 = 0` : where.or(parts);
};

const keysOf = (ids: ReadonlySet<string>): string[] => [...ids].map(keyOf);

const useOfRow = (row: Omit<PastUseRow, 'id'>): PastUse => ({
  claimUid: row.claim_uid,
  project: row.project,
  owner: row.owner,
  consumerType: row.consumer_type,
  resourceType: row.resource_type,
  amount: Number(row.amount),
  fromMs: Number(row.from_ms),
  toMs: Number(row.to_ms),
});
