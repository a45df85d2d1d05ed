import { sql } from 'kysely';
import type { SweeperRecords } from '../ports.ts';
import { db, keyOf } from './rows.ts';

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
