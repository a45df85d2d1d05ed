/** What surrounds hardware tasks: a controller, its secret, inventory, the scheduler and a hook. */
import { create } from '@bufbuild/protobuf';
import { type BmcAnswer, BmcAnswerSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import type { ProviderView } from '../../../services/machine/domain/capacity.ts';
import type { HardwareTask, TaskKind } from '../../../services/machine/domain/hardware-task.ts';
import type {
  InventoryPort,
  SchedulerPort,
  SecretPort,
} from '../../../services/machine/neighbours-port.ts';
import type { Orders } from '../../../services/machine/order-port.ts';
import { machineMigrations } from '../../../services/machine/store/migrations.ts';
import { createRecords } from '../../../services/machine/store/records.ts';
import { createCleanTask } from '../../../services/machine/work/clean-task.ts';
import type { CleaningHook } from '../../../services/machine/work/cleaning-hook.ts';
import { createInspectTask } from '../../../services/machine/work/inspect-task.ts';
import { createRotateTask } from '../../../services/machine/work/rotate-task.ts';
import { createTaskRunner, type TaskHandler } from '../../../services/machine/work/task-runner.ts';
import { unavailable } from '../../../services/runtime/errors.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { openSql, type SqlStore } from '../../../services/store/sql/open.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { silentLog } from '../../support/silent-log.ts';

export const LEASE_MS = 30_000;
export const HOOK_MS = 60_000;
export const CLAIM = { uid: '0198a000-0000-7000-8000-0000000000cc', name: 'claims/c' };
export const PROVIDER: ProviderView = {
  uid: '0198a000-0000-7000-8000-0000000000aa',
  name: 'partitions/lab/providers/r1u1',
  partition: 'lab',
  isVmHost: false,
  isMetal: true,
  generation: 3,
  inventories: [],
  vmAgents: [],
  controller: {
    type: 'redfish',
    address: 'bmc',
    secret: 'projects/p/secrets/s',
    ipmiAddress: '',
    certificateSha256: '',
  },
  isNeverProvisioned: false,
  bmcAgents: ['partitions/lab/agents/b1'],
  refusesCredentials: false,
};

export class Killed extends Error {}
class Bug extends Error {}

export type Dependency = 'inventory' | 'scheduler' | 'agent' | 'secrets' | 'hook';

export type TaskWorld = {
  readonly store: SqlStore;
  readonly records: ReturnType<typeof createRecords>;
  readonly clock: ReturnType<typeof manualClock>;
  /** Dependencies that do not answer. */
  readonly away: Set<Dependency>;
  /** Dependencies at which a bug is met. */
  readonly broken: Set<Dependency>;
  readonly seen: {
    power: 'on' | 'off';
    password: string;
    secret: { data: string; staged: string };
    facts: number;
    /** Of the scheduler: undefined = never told. */
    closed: boolean | undefined;
    finished: number;
    /** Runs of the hook that have begun; when the one that was left running is over. */
    hooks: number;
    hookUntilMs: number;
    /** A hook ran beside another, or with the power on. */
    wrongs: string[];
  };
  /** Whether the next run of the hook takes its replica with it. */
  hookKills: boolean;
  /** Whether inventory has deleted the provider. */
  isForgotten: boolean;
};

export const openTaskWorld = async (): Promise<TaskWorld> => {
  const clock = manualClock();
  const store = await openSql({
    service: 'machine',
    url: 'sqlite::memory:',
    entities: [],
    migrations: machineMigrations,
    clock,
    random: systemRandom,
    log: silentLog,
  });
  return {
    store,
    records: createRecords(clock),
    clock,
    away: new Set(),
    broken: new Set(),
    seen: {
      power: 'on',
      password: 'first',
      secret: { data: 'first', staged: '' },
      facts: 0,
      closed: undefined,
      finished: 0,
      hooks: 0,
      hookUntilMs: 0,
      wrongs: [],
    },
    hookKills: false,
    isForgotten: false,
  };
};

const portsOf = (world: TaskWorld) => {
  const { seen, away, clock } = world;
  const need = (what: Dependency) => {
    if (world.broken.has(what)) throw new Bug();
    if (away.has(what)) throw unavailable('SERVICE_UNAVAILABLE', `${what} does not answer`);
  };
  const inventory: InventoryPort = {
    findProvider: async () => {
      need('inventory');
      return world.isForgotten ? undefined : PROVIDER;
    },
    watchProviders: async function* () {},
    recordFacts: async () => {
      need('inventory');
      seen.facts += 1;
      return { conflicts: [] };
    },
    describeProvider: async () => {
      need('inventory');
      return { provider: {}, facts: {} };
    },
    recordDiscoveries: async () => undefined,
  };
  const scheduler: Pick<SchedulerPort, 'tell' | 'finishRelease'> = {
    tell: async ({ closed }) => {
      need('scheduler');
      seen.closed = closed;
    },
    finishRelease: async () => {
      need('scheduler');
      if (seen.hookUntilMs > clock.now().getTime()) seen.wrongs.push('freed while it is cleaned');
      seen.finished += 1;
    },
  };
  const secrets: SecretPort = {
    reveal: async () => {
      need('secrets');
      const { data, staged } = seen.secret;
      const stagedValues: Record<string, string> = staged === '' ? {} : { password: staged };
      return { data: { user: 'u', password: data }, staged: stagedValues, generation: 1n };
    },
    stage: async ({ data }) => {
      need('secrets');
      seen.secret.staged = data.password ?? '';
    },
    promote: async () => {
      need('secrets');
      if (seen.secret.staged === '') return;
      seen.secret = { data: seen.secret.staged, staged: '' };
    },
  };
  const orders: Pick<Orders, 'atProvider'> = {
    atProvider: async (_, { work }): Promise<BmcAnswer> => {
      need('agent');
      if (work.case === 'changePower') seen.power = 'off';
      if (work.case === 'rotate') {
        const { data, staged } = seen.secret;
        if (![data, staged].includes(seen.password)) seen.wrongs.push('nobody knows the password');
        seen.password = staged === '' ? seen.password : staged;
      }
      return create(BmcAnswerSchema, { content: { case: 'facts', value: { vendor: 'Lab' } } });
    },
  };
  const hook: CleaningHook = {
    timeoutMs: HOOK_MS,
    endMs: 0,
    endLeft: async () => undefined,
    run: async () => {
      if (away.has('hook')) return { kind: 'later', message: 'nobody listens' };
      const nowMs = clock.now().getTime();
      if (seen.hookUntilMs > nowMs) seen.wrongs.push('two cleanings at once');
      if (seen.power !== 'off') seen.wrongs.push('cleaned with the power on');
      seen.hooks += 1;
      if (world.hookKills) {
        world.hookKills = false;
        seen.hookUntilMs = nowMs + HOOK_MS;
        throw new Killed();
      }
      return { kind: 'clean' };
    },
  };
  return { inventory, scheduler, secrets, orders, hook };
};

/** A replica that dies at the n-th point at which it could, or with its hook. */
export const taskReplica = (world: TaskWorld, owner: string, dieAt: number) => {
  let points = 0;
  let dead = false;
  const store: SqlStore = {
    ...world.store,
    transaction: (...call) =>
      dead ? Promise.reject(new Killed()) : world.store.transaction(...call),
  };
  const ports = portsOf(world);
  const deps = { ...ports, ...world, store, random: systemRandom, log: silentLog };
  const findProvider = () => ports.inventory.findProvider(PROVIDER.name, signal);
  const mortal =
    (handler: TaskHandler): TaskHandler =>
    async (turn) => {
      try {
        return await handler(turn);
      } catch (error) {
        if (error instanceof Killed) dead = true;
        throw error;
      }
    };
  const handlers: Readonly<Record<TaskKind, TaskHandler>> = {
    inspect: mortal(createInspectTask(deps)),
    clean: mortal(createCleanTask(deps)),
    rotate: mortal(createRotateTask({ ...deps, findProvider })),
  };
  const runner = createTaskRunner({
    store,
    records: world.records,
    clock: world.clock,
    log: silentLog,
    owner,
    leaseMs: LEASE_MS,
    dueMs: 1_000,
    concurrencyMax: 1,
    handlers,
    at: () => {
      points += 1;
      if (points !== dieAt) return;
      dead = true;
      throw new Killed();
    },
  });
  return { run: runner.run, points: () => points };
};

const ACTOR = { principal: 'users/ann', requestId: 'test' };

export const beginTask = async (world: TaskWorld, task: HardwareTask): Promise<void> => {
  await world.store.transaction(undefined, ACTOR, async (tx) => {
    await world.records.tasks.insert(tx, task);
  });
};

const signal = AbortSignal.timeout(120_000);

/** Until it ends; only the first replica dies. Answers at how many points it could have. */
export const endTask = async (world: TaskWorld, uid: string, dieAt: number): Promise<number> => {
  let points = 0;
  for (let turn = 0; turn < 40; turn += 1) {
    const one = taskReplica(world, `replica-${turn}`, turn === 0 ? dieAt : 0);
    await one.run(uid, signal).catch((error: unknown) => {
      if (!(error instanceof Killed || error instanceof Bug)) throw error;
    });
    points = Math.max(points, one.points());
    const task = await world.store.read((reader) => world.records.tasks.find(reader, uid));
    if (task !== undefined && task.endMs !== null) return points;
    await world.clock.advance(LEASE_MS + 1_000);
  }
  throw new Error('the task does not end');
};
