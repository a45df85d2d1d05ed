/**
 * Which agent works at the controller of a provider: a lease row, so that a pool of agents shares
 * the work and no two of them work at one controller. It is sticky and moves when its agent's
 * session has ended or inventory took the agent out of the pool; what the agent was told about
 * servers there moves with it.
 */
import { createHash } from 'node:crypto';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { agentKeyOf, type ProviderView } from '../domain/capacity.ts';
import type { HardwareLease } from '../hardware-ports.ts';
import type { Controllers } from '../order-port.ts';
import type { MachineWriter, Records } from '../ports.ts';
import { createGathered } from './gathered.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'agents' | 'assignments' | 'hardware' | 'machines'>;
  readonly writer: MachineWriter;
  readonly log: Logger;
};

const ACTOR = { principal: 'services/machine', requestId: 'controllers' };

const TOGETHER_MAX = 64;

export const createControllers = (deps: Deps): Controllers => {
  const find = createGathered<ProviderView, Found>((all) => findAll(deps, all), TOGETHER_MAX);
  return {
    agentFor: async (provider) => {
      const { bmcAgents: pool, uid: providerUid } = provider;
      if (pool.length === 0) return '';
      const { lease, up } = await find(provider);
      const holder = lease?.agentKey ?? '';
      if (up.includes(holder)) return holder;
      if (up.length === 0 && pool.includes(holder)) return holder;
      const next = favourite(providerUid, up.length > 0 ? up : pool);
      const given = await give(deps, provider, { agentKey: next, epoch: lease?.epoch ?? 0 });
      if (given !== undefined) return given.agentKey;
      // Somebody else gave it in between: what is written counts.
      const [now] = await findAll(deps, [provider]);
      return now?.lease?.agentKey ?? next;
    },
  };
};

type Found = { readonly lease: HardwareLease | undefined; readonly up: readonly string[] };

/** Who has the controllers, and who of their pools is up. */
const findAll = (
  { store, records }: Deps,
  providers: readonly ProviderView[],
): Promise<readonly Found[]> =>
  store.read(async (reader) => {
    const uids = providers.map(({ uid }) => uid);
    const leases = await records.hardware.findLeases(reader, uids);
    const pools = new Set(providers.flatMap(({ bmcAgents }) => bmcAgents));
    const agents = await records.agents.findManyByKey(reader, [...pools]);
    const up = new Set(agents.filter(({ state }) => state === 'up').map(agentKeyOf));
    return providers.map(({ uid, bmcAgents }) => ({
      lease: leases.find(({ providerUid }) => providerUid === uid),
      up: bmcAgents.filter((key) => up.has(key)),
    }));
  });

const give = async (
  deps: Deps,
  { uid: providerUid, partition }: ProviderView,
  to: { readonly agentKey: string; readonly epoch: number },
): Promise<HardwareLease | undefined> => {
  const given = await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const lease = await deps.records.hardware.giveLease(tx, { providerUid, partition, ...to });
    if (lease !== undefined) await moveServers(deps, tx, lease);
    return lease;
  });
  if (given !== undefined && to.epoch > 0) {
    deps.log.info({ provider: providerUid, ...to }, 'a controller has another agent');
  }
  return given;
};

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
  { providerUid, agentKey }: HardwareLease,
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
const favourite = (providerUid: string, pool: readonly string[]): string =>
  pool
    .map((key) => ({ key, weight: weightOf(providerUid, key) }))
    .reduce((best, one) => (one.weight > best.weight ? one : best), { key: '', weight: '' }).key;

const weightOf = (providerUid: string, key: string): string =>
  createHash('sha256').update(`${providerUid} ${key}`).digest('hex');

type MoveDeps = Deps & { readonly findProvider: (uid: string) => ProviderView | undefined };

const BITE = 500;

/** Gives what lies with agents that have no session to others; by whoever sweeps the partition. */
export const moveStranded = async (
  deps: MoveDeps,
  controllers: Controllers,
  partition: string,
): Promise<void> => {
  const stranded = await deps.store.read((reader) =>
    deps.records.hardware.stranded(reader, { partition, limit: BITE }),
  );
  for (const { providerUid } of stranded) {
    const provider = deps.findProvider(providerUid);
    if (provider !== undefined) await controllers.agentFor(provider);
  }
};
