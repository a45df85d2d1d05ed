/**
 * Gives controllers of agents that have many to others of their pools that have few, some at a
 * time, by whoever sweeps the partition. One at which something is under way stays where it is: an
 * order, a task, an open console, a machine that is on its way somewhere.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { agentKeyOf, type ProviderView } from '../domain/capacity.ts';
import { isUnfit } from '../domain/reach.ts';
import { type Held, hasSettled, nextMove } from '../domain/rebalance.ts';
import type { HardwareLease } from '../hardware-ports.ts';
import type { MachineWriter, Records } from '../ports.ts';
import { moveServers } from './controller-moves.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<
    Records,
    'agents' | 'assignments' | 'consoles' | 'hardware' | 'machines' | 'tasks'
  >;
  readonly writer: MachineWriter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sweepMs: number;
  readonly findProvider: (providerUid: string) => ProviderView | undefined;
};

/** Leases that one look sees. */
const BITE = 500;
/** Leases that one look tries to move. */
const TRIES_MAX = 32;
/** The new agent has been told of it, and has signed in there, after that many sweeps. */
const MOVE_SWEEPS = 2;
const ACTOR = { principal: 'services/machine', requestId: 'rebalance' };

export type Rebalancer = (signal: AbortSignal) => Promise<void>;

export const createRebalancer = (deps: Deps, partition: string): Rebalancer => {
  let afterId = 0;
  /** When the moves of this sweeper end. */
  const underWay = new Map<string, number>();
  return async (signal) => {
    const nowMs = deps.clock.monotonicMs();
    for (const [uid, endMs] of underWay) if (endMs <= nowMs) underWay.delete(uid);
    const seen = await look(deps, partition, afterId);
    afterId = seen.nextId;
    const leases = new Map(seen.leases.map((lease) => [lease.providerUid, lease]));
    for (let tries = 0; tries < TRIES_MAX && !signal.aborted; tries += 1) {
      const held = seen.held.filter(({ providerUid }) => leases.has(providerUid));
      const next = nextMove(held, { loads: seen.loads, underWay: underWay.size });
      const lease = leases.get(next?.providerUid ?? '');
      if (next === undefined || lease === undefined) return;
      leases.delete(lease.providerUid);
      if (!(await move(deps, lease, next.to))) continue;
      underWay.set(lease.providerUid, nowMs + deps.sweepMs * MOVE_SWEEPS);
      seen.loads.set(lease.agentKey, (seen.loads.get(lease.agentKey) ?? 0) - 1);
      seen.loads.set(next.to, (seen.loads.get(next.to) ?? 0) + 1);
      const { providerUid: provider, agentKey: from } = lease;
      deps.log.info({ provider, from, to: next.to }, 'a controller goes to an agent with fewer');
    }
  };
};

type Seen = {
  readonly leases: readonly HardwareLease[];
  readonly held: readonly Held[];
  /** Of agents that are connected. */
  readonly loads: Map<string, number>;
  /** Where to go on; 0 = from the beginning. */
  readonly nextId: number;
};

const look = async (
  { store, records, clock, findProvider }: Deps,
  partition: string,
  afterId: number,
): Promise<Seen> =>
  store.read(async (reader) => {
    const asked = { partition, afterId, limit: BITE };
    const rows = await records.hardware.leases(reader, asked);
    const nowMs = clock.now().getTime();
    const held = rows.flatMap(({ lease: { providerUid, agentKey, missed } }) => {
      const all = findProvider(providerUid)?.bmcAgents ?? [];
      const pool = all.filter((key) => key === agentKey || !isUnfit(missed, key, nowMs));
      return pool.length > 1 ? [{ providerUid, agentKey, pool }] : [];
    });
    const keys = new Set(held.flatMap(({ pool }) => pool));
    const [agents, counts] = await Promise.all([
      records.agents.findManyByKey(reader, [...keys]),
      keys.size === 0 ? [] : records.hardware.leaseCounts(reader, partition),
    ]);
    const loads = new Map(
      agents
        .filter(({ state }) => state === 'up')
        .map((agent) => {
          const key = agentKeyOf(agent);
          return [key, counts.find(({ agentKey }) => agentKey === key)?.count ?? 0] as const;
        }),
    );
    const nextId = rows.length < BITE ? 0 : (rows.at(-1)?.id ?? 0);
    return { leases: rows.map(({ lease }) => lease), held, loads, nextId };
  });

/** False: it has another agent already, or something is under way there. */
const move = (deps: Deps, lease: HardwareLease, agentKey: string): Promise<boolean> =>
  deps.store.transaction(undefined, ACTOR, async (tx) => {
    const { hardware } = deps.records;
    // Orders lock it too: what is placed from now on waits, and sees who has it then.
    if (!(await hardware.holdLease(tx, lease))) return false;
    if (await isBusy(deps, tx, lease.providerUid)) return false;
    const given = await hardware.giveLease(tx, { ...lease, agentKey });
    if (given !== undefined) await moveServers(deps, tx, given);
    return given !== undefined;
  });

const isBusy = async (
  { records, clock }: Deps,
  reader: Reader,
  providerUid: string,
): Promise<boolean> => {
  const { assignments, consoles, hardware, machines, tasks } = records;
  const nowMs = clock.now().getTime();
  if (await hardware.isOrdered(reader, { providerUid, nowMs })) return true;
  if ((await tasks.open(reader, [providerUid])).length > 0) return true;
  if ((await consoles.ofTarget(reader, providerUid)).length > 0) return true;
  const rows = await assignments.ofProvider(reader, providerUid);
  const uids = rows.filter(({ isServer }) => isServer).map(({ uid }) => uid);
  const found = await machines.findMany(reader, uids);
  if (rows.some(({ absent }) => absent) || !found.every(hasSettled)) return true;
  for (const uid of uids) if ((await consoles.ofTarget(reader, uid)).length > 0) return true;
  return false;
};
