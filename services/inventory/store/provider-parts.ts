/** What of a provider is searched or unique and lies in tables of its own. */
import { alreadyExists } from '../../runtime/errors.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { keyOf, type ProviderParts, type ProviderRecord, providerName } from '../domain/records.ts';
import { removeDistances, writeDistances } from './place-distances.ts';
import { db, insertUnique } from './rows.ts';

export const writeParts = async (
  tx: Tx,
  record: ProviderRecord,
  { nics, terms, distances }: ProviderParts,
): Promise<void> => {
  const { uid } = record;
  if (nics.length > 0) {
    await demandFreeMacs(tx, record, nics);
    const rows = nics.map(({ label, mac }) => ({
      provider_uid: uid,
      partition_key: keyOf(record.partition),
      label,
      mac,
    }));
    await insertUnique(
      db(tx).insertInto('provider_nic').values(rows).execute(),
      providerName(record),
    );
  }
  await addTerms(tx, [record], terms);
  const source = { uid, name: providerName(record), partition: record.partition };
  await writeDistances(tx, source, distances);
};

/** Those that are there already stay. */
export const addTerms = async (
  tx: Tx,
  records: readonly ProviderRecord[],
  terms: ProviderParts['terms'],
): Promise<void> => {
  const rows = records.flatMap((record) =>
    terms.map(([kind, term]) => ({
      provider_uid: record.uid,
      kind,
      term,
      partition_key: keyOf(record.partition),
      id_key: keyOf(record.id),
    })),
  );
  if (rows.length === 0) return;
  await db(tx)
    .insertInto('provider_term')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['kind', 'term', 'partition_key', 'id_key']).doNothing(),
    )
    .execute();
};

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

/** Says which address is whose; the unique index holds where two write at once. */
const demandFreeMacs = async (
  tx: Tx,
  record: ProviderRecord,
  nics: ProviderParts['nics'],
): Promise<void> => {
  const macs = nics.map(({ mac }) => mac).filter((mac) => mac !== '');
  if (macs.length === 0) return;
  const taken = await db(tx)
    .selectFrom('provider_nic')
    .innerJoin('provider', 'provider.uid', 'provider_nic.provider_uid')
    .select(['provider_nic.mac', 'provider.name_id', 'provider.partition_id'])
    .where('provider_nic.partition_key', '=', keyOf(record.partition))
    .where('provider_nic.mac', 'in', macs)
    .executeTakeFirst();
  if (taken === undefined) return;
  const name = providerName(record);
  const holder = providerName({ partition: taken.partition_id, id: taken.name_id });
  throw alreadyExists(
    'ALREADY_EXISTS',
    `Cannot write ${name}: ${holder} has the MAC address ${taken.mac}`,
    { metadata: { name, field: 'spec.nics.mac', mac: taken.mac, holder } },
  );
};

export const removeParts = async (tx: Tx, uids: readonly string[]): Promise<void> => {
  const those = [...uids];
  await db(tx).deleteFrom('provider_nic').where('provider_uid', 'in', those).execute();
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
