/** A scheduler as a whole in a simulated process, on a store that all of them share. */
import type { Transport } from '@connectrpc/connect';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import { createAuthenticator } from '../../../services/runtime/rpc/authenticator.ts';
import { createSchedulerService } from '../../../services/scheduler/main.ts';
import type { Coordination } from '../../../services/store/coordination/port.ts';
import type { Neighbours } from '../../rpc/scheduler-neighbours.ts';
import { guardedTransports } from '../../support/guarded-transports.ts';
import { type Fate, lossy } from '../../support/lossy-coordination.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { silentLog } from '../../support/silent-log.ts';
import {
  clockBehind,
  coordinationBehind,
  createGate,
  type Gate,
  type Skew,
  transportBehind,
} from './gate.ts';

export type SimulatedReplica = {
  readonly address: string;
  readonly gate: Gate;
  /** As a service of that name reaches it, without the network. */
  readonly asService: (name: string) => Transport;
  /** Transactions that were left on the way to the store arrive. */
  readonly releaseLate: () => Promise<unknown>;
  readonly stop: () => Promise<void>;
};

export type ReplicaOptions = {
  readonly address: string;
  readonly seed: number;
  readonly clock: Clock;
  readonly skew: Skew;
  readonly store: Coordination;
  readonly fateOf: (keys: readonly string[]) => Fate;
  readonly neighbours: Neighbours;
  /** The way to another replica, over the network. */
  readonly transportTo: (address: string) => Transport;
};

export const LEASE_MS = 1_000;

const GRANTS = [{ role: 'service', permissions: new Set(['*']) }];

export const startSimulatedReplica = async (options: ReplicaOptions): Promise<SimulatedReplica> => {
  const { address, neighbours, store } = options;
  const random: Random = seededRandom(options.seed);
  const gate = createGate(options.clock, random);
  const clock = clockBehind(options.clock, gate, options.skew);
  const way = lossy(store, options.fateOf);
  const service = await createSchedulerService({
    config: { leaseTtlMs: LEASE_MS, leaderWaitMs: 2_000, collectPauseMs: 200 },
    clock,
    random,
    log: silentLog,
    sql: { url: 'sqlite::memory:' },
    coordination: coordinationBehind(way.coordination, gate),
    connect: {
      transportTo: (area) =>
        transportBehind(area === 'identity' ? neighbours.identity : neighbours.inventory, gate),
      transportToAddress: (to) => transportBehind(options.transportTo(to), gate),
    },
    cluster: 'test',
    replica: { id: `${address}-${options.seed}`, address },
  });
  const ways = guardedTransports({
    implementations: () => service.implementations,
    clock,
    authenticate: createAuthenticator({
      clock,
      cluster: 'test',
      grantsOf: () => GRANTS,
      introspect: () => Promise.resolve(undefined),
    }),
  });
  await service.start(new AbortController().signal);
  return { address, gate, asService: ways.asService, releaseLate: way.release, stop: service.stop };
};
