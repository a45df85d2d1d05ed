import { sql } from 'kysely';
import type { ProviderStateRecords, SweeperRecords } from '../ports.ts';
import { db, keyOf } from './rows.ts';

export const providerStateRecords: ProviderStateRecords = {
  find: async (reader, providerUid) => {
    const row = await db(reader)
      .selectFrom('provider_state')
      .selectAll()
      .where('provider_uid', '=', providerUid)
      .executeTakeFirst();
    return row === undefined
      ? undefined
      : {
          providerUid,
          partition: row.partition_key,
          state: row.state === 'available' ? 'available' : 'closed',
          generation: Number(row.generation),
        };
  },
  put: async (tx, { providerUid, partition, state, generation }) => {
    const values = { partition_key: keyOf(partition), state, generation };
    await db(tx)
      .insertInto('provider_state')
      .values({ provider_uid: providerUid, ...values })
      .onConflict((conflict) => conflict.column('provider_uid').doUpdateSet(values))
      .execute();
    tx.change({ kind: 'provider_state', uid: providerUid });
  },
};

export const sweeperRecords: SweeperRecords = {
  hold: async (tx, { partition, owner, untilMs, nowMs }) => {
    const { rows } = await sql<{ owner: string }>`
      insert into sweeper (partition_key, owner, lease_until_ms)
      values (${keyOf(partition)}, ${owner}, ${untilMs})
      on conflict (partition_key) do update set owner = ${owner}, lease_until_ms = ${untilMs}
      where sweeper.owner = ${owner} or sweeper.lease_until_ms < ${nowMs}
      returning owner`.execute(db(tx));
    return rows.length === 1;
  },
};
