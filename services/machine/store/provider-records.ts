import { type Selectable, sql } from 'kysely';
import type { DecidedLife } from '../domain/provider-lifecycle.ts';
import { type Cleaning, newProviderState, type ProviderState } from '../domain/provider-state.ts';
import type { CleaningRecords, ProviderStateRecords } from '../provider-ports.ts';
import { db, keyOf, readDoc, writeDoc } from './rows.ts';
import type { ProviderStateRow } from './tables.ts';

const LIVES: ReadonlySet<string> = new Set<DecidedLife>([
  'inspecting',
  'inspect_failed',
  'available',
  'maintenance',
  'quarantined',
  'retired',
]);

/** A state that this version does not know is closed to claims. */
const lifeOf = (state: string): DecidedLife =>
  LIVES.has(state) ? (state as DecidedLife) : 'enrolled';

const read = (row: Selectable<ProviderStateRow>): ProviderState => ({
  ...newProviderState(row.provider_uid, row.partition_key),
  ...readDoc<Partial<ProviderState>>(row.doc, {}),
  providerUid: row.provider_uid,
  state: lifeOf(row.state),
  generation: Number(row.generation),
  version: Number(row.version),
  owner: row.owner,
});

export const providerStateRecords: ProviderStateRecords = {
  find: async (reader, providerUid) => {
    const row = await db(reader)
      .selectFrom('provider_state')
      .selectAll()
      .where('provider_uid', '=', providerUid)
      .executeTakeFirst();
    return row === undefined ? undefined : read(row);
  },
  findMany: async (reader, providerUids) => {
    if (providerUids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('provider_state')
      .selectAll()
      .where('provider_uid', 'in', [...providerUids])
      .execute();
    return rows.map(read);
  },
  hold: async (tx, { providerUid, partition, owner, untilMs, nowMs }) => {
    await db(tx)
      .insertInto('provider_state')
      .values(rowOf(newProviderState(providerUid, partition)))
      .onConflict((conflict) => conflict.column('provider_uid').doNothing())
      .execute();
    // Locked first, so that what is answered is what was there before.
    const row = await db(tx)
      .updateTable('provider_state')
      .set({ lease_until_ms: sql<number>`lease_until_ms` })
      .where('provider_uid', '=', providerUid)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (row.owner !== null && Number(row.lease_until_ms) > nowMs) return undefined;
    await db(tx)
      .updateTable('provider_state')
      .set({ owner, lease_until_ms: untilMs })
      .where('provider_uid', '=', providerUid)
      .execute();
    return read(row);
  },
  save: async (tx, state, owner, isCertain = true) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('provider_state')
      .set({
        ...rowOf(state),
        ...(!isCertain && { owner }),
        version: sql<number>`version + 1`,
      })
      .where('provider_uid', '=', state.providerUid)
      .where('owner', '=', owner)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    tx.change({ kind: 'provider_state', uid: state.providerUid });
    return true;
  },
  fail: async (tx, { providerUid, from, to, problem }) => {
    const row = await db(tx)
      .updateTable('provider_state')
      .set({ version: sql<number>`version + 1` })
      .where('provider_uid', '=', providerUid)
      .where('state', '=', from)
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) return false;
    const failed = { ...read(row), state: to, problem, sinceMs: problem.sinceMs };
    await db(tx)
      .updateTable('provider_state')
      .set({ state: to, doc: rowOf(failed).doc })
      .where('provider_uid', '=', providerUid)
      .execute();
    tx.change({ kind: 'provider_state', uid: providerUid });
    return true;
  },
  giveUp: async (tx, { providerUid, owner, isCertain }) => {
    await db(tx)
      .updateTable('provider_state')
      .set(isCertain ? { owner: null, lease_until_ms: 0 } : { lease_until_ms: 0 })
      .where('provider_uid', '=', providerUid)
      .where('owner', '=', owner)
      .execute();
  },
  scan: async (reader, { partition, afterId, limit }) => {
    const rows = await db(reader)
      .selectFrom('provider_state')
      .selectAll()
      .where('partition_key', '=', keyOf(partition))
      .where('id', '>', afterId)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ id: Number(row.id), state: read(row) }));
  },
  remove: async (tx, providerUid) => {
    await db(tx).deleteFrom('provider_state').where('provider_uid', '=', providerUid).execute();
    tx.change({ kind: 'provider_state', uid: providerUid, deleted: true });
  },
};

const rowOf = (state: ProviderState) => {
  const { before, reason, principal, sinceMs, partition, problem, isDrained } = state;
  return {
    provider_uid: state.providerUid,
    partition_key: keyOf(partition),
    state: state.state,
    generation: state.generation,
    version: state.version,
    owner: null,
    lease_until_ms: 0,
    doc: writeDoc({ partition, before, reason, principal, sinceMs, problem, isDrained }),
  };
};

type Later = 'life' | 'lifeMs' | 'problem' | 'doneMs';

/** Rows of earlier versions wait for an operator. */
const readCleaning = ({ doc }: { readonly doc: string }): Cleaning => {
  const row = readDoc<Partial<Cleaning> & Omit<Cleaning, Later>>(doc, {});
  return { life: 'cleaning', lifeMs: row.sinceMs, problem: null, doneMs: null, ...row };
};

const cleaningRow = (cleaning: Cleaning) => ({
  done_ms: cleaning.doneMs,
  doc: writeDoc(cleaning),
});

export const cleaningRecords: CleaningRecords = {
  insert: async (tx, cleaning) => {
    const { claimUid, providerUid } = cleaning;
    const { numInsertedOrUpdatedRows } = await db(tx)
      .insertInto('provider_cleaning')
      .values({ claim_uid: claimUid, provider_uid: providerUid, ...cleaningRow(cleaning) })
      .onConflict((conflict) => conflict.columns(['claim_uid', 'provider_uid']).doNothing())
      .executeTakeFirst();
    const isNew = numInsertedOrUpdatedRows === 1n;
    if (isNew) tx.change({ kind: 'provider_state', uid: providerUid });
    return isNew;
  },
  ofProviders: async (reader, providerUids) => {
    if (providerUids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('provider_cleaning')
      .select('doc')
      .where('provider_uid', 'in', [...providerUids])
      .where('done_ms', 'is', null)
      .orderBy('id')
      .execute();
    return rows.map(readCleaning);
  },
  ofClaim: async (reader, claimUid) => {
    const rows = await db(reader)
      .selectFrom('provider_cleaning')
      .select('doc')
      .where('claim_uid', '=', claimUid)
      .execute();
    return rows.map(readCleaning);
  },
  save: async (tx, cleaning) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('provider_cleaning')
      .set(cleaningRow(cleaning))
      .where('claim_uid', '=', cleaning.claimUid)
      .where('provider_uid', '=', cleaning.providerUid)
      .executeTakeFirst();
    tx.change({ kind: 'provider_state', uid: cleaning.providerUid });
    return numUpdatedRows === 1n;
  },
  find: async (reader, { claimUid, providerUid }) => {
    const row = await db(reader)
      .selectFrom('provider_cleaning')
      .select('doc')
      .where('claim_uid', '=', claimUid)
      .where('provider_uid', '=', providerUid)
      .executeTakeFirst();
    return row === undefined ? undefined : readCleaning(row);
  },
  removeDone: async (tx, beforeMs, limit) => {
    const rows = await db(tx)
      .selectFrom('provider_cleaning')
      .select('id')
      .where('done_ms', '<', beforeMs)
      .limit(limit)
      .execute();
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await db(tx).deleteFrom('provider_cleaning').where('id', 'in', ids).execute();
    return ids.length;
  },
};
