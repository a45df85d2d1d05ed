/** How a controller goes from one agent of its pool to another. */
import { createHash } from 'node:crypto';
import type { Tx } from '../../store/sql/transaction.ts';
import type { HardwareLease } from '../hardware-ports.ts';
import type { MachineWriter, Records } from '../ports.ts';

type MovingDeps = {
  readonly records: Pick<Records, 'assignments' | 'machines'>;
  readonly writer: MachineWriter;
};

/**
 * What the new agent is told says what the former one did, so that nothing is booted anew. Machines
 * are locked before assignments, as everywhere.
 */
export const moveServers = async (
  { records, writer }: MovingDeps,
  tx: Tx,
  { providerUid, agentKey }: Pick<HardwareLease, 'providerUid' | 'agentKey'>,
): Promise<void> => {
  const rows = await records.assignments.ofProvider(tx, providerUid);
  const uids = rows
    .filter((row) => row.isServer && row.agentKey !== agentKey)
    .map(({ uid }) => uid);
  const machines = [];
  for (const uid of uids.toSorted()) machines.push(await records.machines.lock(tx, uid));
  await records.assignments.moveServers(tx, { providerUid, agentKey });
  for (const machine of machines) {
    if (machine === undefined) continue;
    await records.machines.save(tx, machine);
    await writer.renewAssignment(tx, machine);
  }
};

/** Rendezvous hashing: the pool shares its providers evenly, and few move when it changes. */
export const favourite = (providerUid: string, pool: readonly string[]): string =>
  pool
    .map((key) => ({ key, weight: weightOf(providerUid, key) }))
    .reduce((best, one) => (one.weight > best.weight ? one : best), { key: '', weight: '' }).key;

const weightOf = (providerUid: string, key: string): string =>
  createHash('sha256').update(`${providerUid} ${key}`).digest('hex');
