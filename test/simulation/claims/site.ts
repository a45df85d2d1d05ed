/** The replicas of a simulated installation, and what can happen to each of their processes. */
import type { Transport } from '@connectrpc/connect';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type { Coordination } from '../../../services/store/coordination/port.ts';
import type { Neighbours } from '../../rpc/scheduler-neighbours.ts';
import type { Fate } from '../../support/lossy-coordination.ts';
import type { Network, Receiver } from './network.ts';
import { type SimulatedReplica, startSimulatedReplica } from './replica.ts';

export type SiteOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly neighbours: Neighbours;
  readonly network: Network;
  /** Each replica's own way to the store. */
  readonly store: () => Coordination;
  readonly fateOf: (keys: readonly string[]) => Fate;
};

export type Site = {
  /** Those that are alive, standing still or not. */
  readonly replicas: () => readonly SimulatedReplica[];
  /** Address of the leader as the store has it. */
  readonly leader: () => Promise<string | undefined>;
  /** kill -9, and another process at the same address. */
  readonly replace: (replica: SimulatedReplica) => Promise<void>;
  /** The clients' way to each address. */
  readonly ways: ReadonlyMap<string, Transport>;
  /** Ends all processes, those that were killed too. */
  readonly stop: () => Promise<void>;
};

const ADDRESSES = ['a', 'b', 'c'];

export const createSite = async (options: SiteOptions): Promise<Site> => {
  const { random, network } = options;
  const living = new Map<string, SimulatedReplica>();
  const killed: SimulatedReplica[] = [];
  const at = (address: string): SimulatedReplica => {
    const found = living.get(address);
    if (found === undefined) throw new Error(`Nobody is at ${address}`);
    return found;
  };
  const receiver = (address: string, caller: string): Receiver => ({
    transport: () => at(address).asService(caller),
    gate: () => at(address).gate,
  });
  const start = async (address: string): Promise<void> => {
    const replica = await startSimulatedReplica({
      address,
      seed: Math.floor(random.fraction() * 2 ** 31),
      clock: options.clock,
      skew: {
        wallMs: Math.round((random.fraction() - 0.5) * 3_000),
        rate: 0.98 + random.fraction() * 0.04,
      },
      store: options.store(),
      fateOf: options.fateOf,
      neighbours: options.neighbours,
      transportTo: (to) => network.to(receiver(to, 'scheduler')),
    });
    living.set(address, replica);
  };
  for (const address of ADDRESSES) await start(address);
  const store = options.store();
  return {
    replicas: () => [...living.values()],
    leader: async () => {
      const found = await store.get('partitions/lab/leader', AbortSignal.timeout(60_000));
      return found === undefined ? undefined : Buffer.from(found.value).toString();
    },
    replace: async (replica) => {
      replica.gate.close();
      killed.push(replica);
      await start(replica.address);
    },
    ways: new Map(ADDRESSES.map((address) => [address, network.to(receiver(address, 'machine'))])),
    stop: async () => {
      const all = [...living.values(), ...killed];
      for (const { gate } of all) gate.open();
      await Promise.all(all.map((replica) => replica.stop()));
    },
  };
};
