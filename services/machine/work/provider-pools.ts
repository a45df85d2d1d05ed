/**
 * Which agents serve which provider, by inventory's watch. Assignments follow the pool: where the
 * agent that has one leaves it, the next member gets it.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { isMetal, type Machine } from '../domain/machine.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import type { Controllers } from '../order-port.ts';
import type { Records } from '../ports.ts';

export type ProviderPools = {
  readonly find: (providerUid: string) => ProviderView | undefined;
  readonly ofAgent: (agentKey: string) => readonly ProviderView[];
  /** In the order of their names. */
  readonly inPartition: (partition: string) => readonly ProviderView[];
  /** Whether everything that inventory has was seen once. */
  readonly isSynced: () => boolean;
  /** Partitions that have a provider. */
  readonly partitions: () => ReadonlySet<string>;
  /**
   * The agent for a new assignment of that machine: one that is up before one that is not; empty =
   * none.
   */
  readonly agentFor: (machine: Machine, signal: AbortSignal) => Promise<string>;
  /** Follows inventory until the signal aborts. */
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly inventory: InventoryPort;
  readonly controllers: Controllers;
  readonly clock: Clock;
  readonly log: Logger;
  /** A provider was there at the beginning, or appeared or changed since (`isNews`). */
  readonly onProvider: (provider: ProviderView, isNews: boolean) => void;
};

const PAUSE_MS = 2_000;
const ACTOR = { principal: 'services/machine', requestId: 'provider pools' };

export const createProviderPools = (deps: Deps): ProviderPools => {
  const byUid = new Map<string, ProviderView>();
  const byAgent = new Map<string, Set<string>>();
  const sorted = new Map<string, readonly ProviderView[]>();
  let wasSynced = false;
  const forget = (uid: string): void => {
    const known = byUid.get(uid);
    for (const key of known?.vmAgents ?? []) byAgent.get(key)?.delete(uid);
    if (known !== undefined) sorted.delete(known.partition.toLowerCase());
    byUid.delete(uid);
  };
  const learn = (provider: ProviderView): void => {
    forget(provider.uid);
    byUid.set(provider.uid, provider);
    sorted.delete(provider.partition.toLowerCase());
    for (const key of provider.vmAgents) {
      const uids = byAgent.get(key) ?? new Set();
      byAgent.set(key, uids.add(provider.uid));
    }
  };
  const best = async (pool: readonly string[]): Promise<string> => {
    if (pool.length <= 1) return pool[0] ?? '';
    const agents = await deps.store.read((reader) =>
      Promise.all(pool.map((key) => deps.records.agents.findByKey(reader, key))),
    );
    const up = agents.findIndex((agent) => agent?.state === 'up');
    return pool[Math.max(up, 0)] ?? '';
  };
  const readdress = async ({ uid: providerUid, vmAgents: pool }: ProviderView): Promise<void> => {
    if (pool.length === 0) return;
    const key = await best(pool);
    const moved = await deps.store.transaction(undefined, ACTOR, (tx) =>
      deps.records.assignments.readdress(tx, { providerUid, pool, agentKey: key }),
    );
    if (moved > 0) deps.log.info({ provider: providerUid, moved, agent: key }, 'assignments moved');
  };
  const readdressAll = async (): Promise<void> => {
    const rows = await deps.store.read((reader) => deps.records.assignments.addresses(reader));
    for (const { providerUid, agentKey } of rows) {
      const provider = byUid.get(providerUid);
      if (provider !== undefined && !provider.vmAgents.includes(agentKey))
        await readdress(provider);
    }
  };
  const follow = async (signal: AbortSignal): Promise<void> => {
    const present = new Set<string>();
    let isSynced = false;
    for await (const change of deps.inventory.watchProviders(signal)) {
      if (change.kind === 'removed') forget(change.uid);
      else if (change.kind === 'present') {
        present.add(change.provider.uid);
        learn(change.provider);
        if (isSynced) await readdress(change.provider);
        deps.onProvider(change.provider, isSynced);
      } else {
        isSynced = true;
        wasSynced = true;
        for (const uid of [...byUid.keys()]) if (!present.has(uid)) forget(uid);
        await readdressAll();
      }
    }
  };
  return {
    find: (uid) => byUid.get(uid),
    ofAgent: (key) => [...(byAgent.get(key) ?? [])].flatMap((uid) => byUid.get(uid) ?? []),
    inPartition: (partition) => {
      const key = partition.toLowerCase();
      const list = sorted.get(key) ?? sortedByName(byUid.values(), key);
      sorted.set(key, list);
      return list;
    },
    isSynced: () => wasSynced,
    partitions: () => new Set([...byUid.values()].map((provider) => provider.partition)),
    agentFor: async (machine, signal) => {
      const uid = machine.holding?.providerUid ?? '';
      const name = `partitions/${machine.partition}/providers/${uid}`;
      const known = byUid.get(uid);
      const provider = known ?? (await deps.inventory.findProvider(name, signal));
      if (!isMetal(machine)) return best(provider?.vmAgents ?? []);
      if (provider === undefined) return '';
      // Whoever writes the assignment looks up its controller here.
      if (known === undefined) learn(provider);
      return deps.controllers.agentFor(provider);
    },
    work: async (signal) => {
      while (!signal.aborted) {
        try {
          await follow(signal);
        } catch (error) {
          if (!signal.aborted) deps.log.warn({ err: error }, 'providers cannot be followed now');
        }
        await deps.clock.sleep(PAUSE_MS, signal).catch(() => undefined);
      }
    },
  };
};

const sortedByName = (
  providers: Iterable<ProviderView>,
  partitionKey: string,
): readonly ProviderView[] =>
  [...providers]
    .filter(({ partition }) => partition.toLowerCase() === partitionKey)
    .map((provider) => ({ provider, key: provider.name.toLowerCase() }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ provider }) => provider);
