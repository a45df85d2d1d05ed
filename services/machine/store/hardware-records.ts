import type { Selectable } from 'kysely';
import type { HardwareLease, HardwareRecords } from '../hardware-ports.ts';
import { db, keyOf } from './rows.ts';
import type { HardwareLeaseRow } from './tables.ts';

const readLease = (row: Omit<Selectable<HardwareLeaseRow>, 'id'>): HardwareLease => ({
  providerUid: row.provider_uid,
  partition: row.partition_key,
  agentKey: row.agent_key,
  epoch: Number(row.epoch),
});

export const hardwareRecords: HardwareRecords = {
  openOrders: async (tx, orders) => {
    const rows = orders.map(({ commandUid, agentKey, secretKey, untilMs }) => ({
      command_uid: commandUid,
      agent_key: agentKey,
      secret_key: secretKey,
      until_ms: untilMs,
    }));
    await db(tx)
      .insertInto('hardware_order')
      .values(rows)
      // A replica that died left the row of an order that the next one places anew.
      .onConflict((found) =>
        found.column('command_uid').doUpdateSet(({ ref }) => ({
          agent_key: ref('excluded.agent_key'),
          secret_key: ref('excluded.secret_key'),
          until_ms: ref('excluded.until_ms'),
        })),
      )
      .execute();
  },
  closeOrders: async (tx, commandUids) => {
    await db(tx).deleteFrom('hardware_order').where('command_uid', 'in', commandUids).execute();
  },
  removeOldOrders: async (tx, beforeMs) => {
    const { numDeletedRows } = await db(tx)
      .deleteFrom('hardware_order')
      .where('until_ms', '<', beforeMs)
      .executeTakeFirst();
    return Number(numDeletedRows);
  },
  orderNames: async (reader, { agentKey, secretKey, nowMs }) => {
    const row = await db(reader)
      .selectFrom('hardware_order')
      .select('id')
      .where('agent_key', '=', agentKey)
      .where('secret_key', '=', secretKey)
      .where('until_ms', '>', nowMs)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  },
  findLease: async (reader, providerUid) => {
    const row = await db(reader)
      .selectFrom('hardware_lease')
      .selectAll()
      .where('provider_uid', '=', providerUid)
      .executeTakeFirst();
    return row === undefined ? undefined : readLease(row);
  },
  giveLease: async (tx, { providerUid, partition, agentKey, epoch }) => {
    const given = { provider_uid: providerUid, agent_key: agentKey, epoch: epoch + 1 };
    const row =
      epoch === 0
        ? await db(tx)
            .insertInto('hardware_lease')
            .values({ ...given, partition_key: keyOf(partition) })
            .onConflict((conflict) => conflict.column('provider_uid').doNothing())
            .returningAll()
            .executeTakeFirst()
        : await db(tx)
            .updateTable('hardware_lease')
            .set(given)
            .where('provider_uid', '=', providerUid)
            .where('epoch', '=', epoch)
            .returningAll()
            .executeTakeFirst();
    return row === undefined ? undefined : readLease(row);
  },
  stranded: async (reader, { partition, limit }) => {
    const rows = await db(reader)
      .selectFrom('hardware_lease')
      .leftJoin('agent', 'agent.agent_key', 'hardware_lease.agent_key')
      .select([
        'hardware_lease.provider_uid',
        'hardware_lease.partition_key',
        'hardware_lease.agent_key',
        'hardware_lease.epoch',
      ])
      .where('hardware_lease.partition_key', '=', keyOf(partition))
      .where((is) => is.or([is('agent.state', 'is', null), is('agent.state', '!=', 'up')]))
      .orderBy('hardware_lease.id')
      .limit(limit)
      .execute();
    return rows.map(readLease);
  },
};
