/** Replicas of the scheduler on one store, on a clock that is moved by hand. */
import type { ExecutionContext } from 'ava';
import { systemRandom } from '../../services/runtime/random.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { CPU, factsOf, setCapacity } from '../unit/scheduler/builders.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';
import { type Replica, type ReplicaOptions, startReplica } from './scheduler-replica.ts';
import { silentLog } from './silent-log.ts';

const FACTS = [factsOf({ uid: 'p1', offers: { [CPU]: 4 } })];

export type SchedulerWorld = {
  readonly clock: ManualClock;
  readonly store: Coordination;
  readonly replica: (address: string, rest?: Partial<ReplicaOptions>) => Replica;
  /** Lets time pass until the promise ends. */
  readonly settle: <T>(promise: Promise<T>) => Promise<T>;
  readonly until: <T>(probe: () => T | undefined) => Promise<T>;
};

export const schedulerWorld = (t: ExecutionContext): SchedulerWorld => {
  const clock = manualClock();
  const deps = { clock, random: systemRandom, log: silentLog };
  const store = openEmbeddedCoordination({ file: ':memory:', ...deps });
  const replicas: Replica[] = [];
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    promise.then(end, end);
    for (let step = 0; !isDone; step += 1) {
      if (step > 3_000) throw new Error('Nothing came of it in five minutes');
      await clock.advance(100);
    }
    return promise;
  };
  t.teardown(async () => {
    await settle(Promise.all(replicas.map((replica) => replica.stop())));
    await settle(store.close());
  });
  return {
    clock,
    store,
    settle,
    until: async (probe) => {
      for (let step = 0; step < 3_000; step += 1) {
        const found = probe();
        if (found !== undefined) return found;
        await clock.advance(100);
      }
      throw new Error('It did not happen in five minutes');
    },
    replica: (address, rest = {}) => {
      const made = startReplica({ coordination: store, clock, address, facts: FACTS, ...rest });
      replicas.push(made);
      return made;
    },
  };
};

/** Its leader, once new claims may be placed on the provider. */
export const opened = async (
  { settle, until }: SchedulerWorld,
  replica: Replica,
): Promise<void> => {
  const leader = await until(replica.leader);
  await settle(leader.submit(setCapacity('p1', { [CPU]: 4 }), new AbortController().signal));
};
