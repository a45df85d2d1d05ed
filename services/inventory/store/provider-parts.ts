/** What of a provider is searched or unique and lies in tables of its own. */
import { sql } from 'kysely';
import { insertRows } from '../../store/sql/insert-rows.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { identifierTaken } from '../domain/identifiers.ts';
import { keyOf, type ProviderParts, type ProviderRecord, providerName } from '../domain/records.ts';
import { claimDeclared } from './controllers.ts';
import { removeDistances, writeDistances } from './place-distances.ts';
import { db } from './rows.ts';

/** Errors: already_exists naming who has one of its identifiers. */
export const writeParts = async (
  tx: Tx,
  { record, isNew }: { readonly record: ProviderRecord; readonly isNew: boolean },
  { identifiers, terms, distances }: ProviderParts,
): Promise<void> => {
  const [refused] = await claimDeclared(tx, [{ record, identifiers, isNew }]);
  const [taken] = refused?.taken ?? [];
  if (taken !== undefined) throw identifierTaken(record, taken);
  await addTerms(tx, [record], terms);
  await writeDistances(tx, [{ source: sourceOf(record), distances }]);
};

/** Those that are there already stay. */
export const addTerms = async (
  tx: Tx,
  records: readonly ProviderRecord[],
  terms: ProviderParts['terms'],
): Promise<void> =>
  writeTerms(
    tx,
    records.map((record) => ({ record, terms })),
  );

/** Who says how far he is from somewhere. */
export const sourceOf = (record: ProviderRecord) => ({
  uid: record.uid,
  name: providerName(record),
  partition: record.partition,
});

type TermsOf = {
  readonly record: ProviderRecord;
  readonly terms: ProviderParts['terms'];
  /** It was written by this transaction, so it has no terms yet. */
  readonly isNew?: boolean;
};

const TERM_COLUMNS = {
  provider_uid: 'text',
  kind: 'text',
  term: 'text',
  partition_key: 'text',
  id_key: 'text',
} as const;

/** Those that are there already stay. */
export const writeTerms = async (tx: Tx, all: readonly TermsOf[]): Promise<void> => {
  const inserted = { table: 'provider_term', columns: TERM_COLUMNS };
  const conflict = sql`on conflict (kind, term, partition_key, id_key) do nothing`;
  const { added = [], others = [] } = Object.groupBy(all, ({ isNew }) =>
    isNew ? 'added' : 'others',
  );
  // PostgreSQL takes twice as long for rows that it must expect to be there.
  await insertRows(db(tx), { ...inserted, rows: termRows(added) });
  await insertRows(db(tx), { ...inserted, rows: termRows(others), conflict });
};

/** Each once, and those of one term together, as they lie in the index. */
const termRows = (all: readonly TermsOf[]) => {
  const byTerm = new Map<string, Map<string, TermRow>>();
  for (const { record, terms } of all) {
    const [partition_key, id_key] = [keyOf(record.partition), keyOf(record.id)];
    for (const [kind, term] of terms) {
      const key = `${kind} ${term}`;
      const those = byTerm.get(key) ?? new Map<string, TermRow>();
      byTerm.set(key, those);
      those.set(record.uid, { provider_uid: record.uid, kind, term, partition_key, id_key });
    }
  }
  return [...byTerm.values()].flatMap((those) => [...those.values()]);
};

type TermRow = Readonly<Record<keyof typeof TERM_COLUMNS, string>>;

export const removeGroupTerm = async (
  tx: Tx,
  records: readonly ProviderRecord[],
  group: string,
): Promise<void> => {
  if (records.length === 0) return;
  const uids = records.map(({ uid }) => uid);
  await db(tx)
    .deleteFrom('provider_term')
    .where('kind', '=', 'group')
    .where('term', '=', group)
    .where('provider_uid', 'in', uids)
    .execute();
};

/** All but identifiers, which are given up as new ones are claimed. */
export const removeParts = async (tx: Tx, uids: readonly string[]): Promise<void> => {
  if (uids.length === 0) return;
  const those = [...uids];
  await db(tx).deleteFrom('provider_term').where('provider_uid', 'in', those).execute();
  await removeDistances(tx, those);
};

export const setResourceTerms = async (
  tx: Tx,
  record: ProviderRecord,
  resourceTypes: readonly string[],
): Promise<void> => {
  await db(tx)
    .deleteFrom('provider_term')
    .where('provider_uid', '=', record.uid)
    .where('kind', '=', 'resource_type')
    .execute();
  await addTerms(
    tx,
    [record],
    resourceTypes.map((code) => ['resource_type', code]),
  );
};
