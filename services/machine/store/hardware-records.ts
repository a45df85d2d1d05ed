import type { Selectable } from 'kysely';
import type { Tx } from '../../store/sql/transaction.ts';
import { missedOf, missedText } from '../domain/reach.ts';
import type { HardwareLease, HardwareRecords, OpenOrder } from '../hardware-ports.ts';
import { db, keyOf } from './rows.ts';
import type { HardwareLeaseRow } from './tables.ts';

const readLease = (row: Omit<Selectable<HardwareLeaseRow>, 'id'>): HardwareLease => ({
  providerUid: row.provider_uid,
  partition: row.partition_key,
  agentKey: row.agent_key,
  epoch: Number(row.epoch),
  missed: missedOf(row.missed),
});

export const hardwareRecords: HardwareRecords = {
  openOrders: async (tx, orders) => {
    const holders = await lockHolders(tx, orders);
    const isElsewhere = ({ providerUid, agentKey }: OpenOrder) =>
      (holders.get(providerUid) ?? agentKey) !== agentKey;
    const opened = orders.filter((order) => !isElsewhere(order));
    const moved = orders.filter(isElsewhere).map(({ commandUid }) => commandUid);
    if (opened.length === 0) return moved;
    const rows = opened.map(({ commandUid, agentKey, providerUid, secretKey, untilMs }) => ({
      command_uid: commandUid,
      agent_key: agentKey,
      provider_uid: providerUid,
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
          provider_uid: ref('excluded.provider_uid'),
          secret_key: ref('excluded.secret_key'),
          until_ms: ref('excluded.until_ms'),
        })),
      )
      .execute();
    return moved;
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
    if (secretKey === '') return false;
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
  isOrdered: async (reader, { providerUid, nowMs, beside = '' }) => {
    const row = await db(reader)
      .selectFrom('hardware_order')
      .select('id')
      .where('provider_uid', '=', providerUid)
      .where('command_uid', '!=', beside)
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
  findLeases: async (reader, providerUids) => {
    const rows = await db(reader)
      .selectFrom('hardware_lease')
      .selectAll()
      .where('provider_uid', 'in', [...providerUids])
      .execute();
    return rows.map(readLease);
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
  holdLease: async (tx, { providerUid, epoch }) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('hardware_lease')
      .set({ epoch })
      .where('provider_uid', '=', providerUid)
      .where('epoch', '=', epoch)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  },
  saveMissed: async (tx, { providerUid, epoch, missed }) => {
    const { numUpdatedRows } = await db(tx)
      .updateTable('hardware_lease')
      .set({ missed: missedText(missed) })
      .where('provider_uid', '=', providerUid)
      .where('epoch', '=', epoch)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  },
  leases: async (reader, { partition, afterId, limit }) => {
    const rows = await db(reader)
      .selectFrom('hardware_lease')
      .selectAll()
      .where('partition_key', '=', keyOf(partition))
      .where('id', '>', afterId)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ id: Number(row.id), lease: readLease(row) }));
  },
  leaseCounts: async (reader, partition) => {
    const rows = await db(reader)
      .selectFrom('hardware_lease')
      .select(({ fn }) => ['agent_key', fn.countAll<number>().as('count')])
      .where('partition_key', '=', keyOf(partition))
      .groupBy('agent_key')
      .execute();
    return rows.map((row) => ({ agentKey: row.agent_key, count: Number(row.count) }));
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
        'hardware_lease.missed',
      ])
      .where('hardware_lease.partition_key', '=', keyOf(partition))
      .where((is) => is.or([is('agent.state', 'is', null), is('agent.state', '!=', 'up')]))
      .orderBy('hardware_lease.id')
      .limit(limit)
      .execute();
    return rows.map(readLease);
  },
};

/** Who works at these controllers; until the transaction ends none of them moves. */
const lockHolders = async (
  tx: Tx,
  orders: readonly OpenOrder[],
): Promise<ReadonlyMap<string, string>> => {
  const uids = new Set(orders.map(({ providerUid }) => providerUid).filter((uid) => uid !== ''));
  if (uids.size === 0) return new Map();
  const rows = await db(tx)
    .updateTable('hardware_lease')
    .set(({ ref }) => ({ epoch: ref('epoch') }))
    .where('provider_uid', 'in', [...uids])
    .returning(['provider_uid', 'agent_key'])
    .execute();
  return new Map(rows.map((row) => [row.provider_uid, row.agent_key]));
};
