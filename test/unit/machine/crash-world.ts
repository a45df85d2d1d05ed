/**
 * Replicas that die at a point of a plan, over a database and worlds of their own that outlive
 * them.
 */
import { isMetal, type Machine } from '../../../services/machine/domain/machine.ts';
import { applyObservation } from '../../../services/machine/domain/observe.ts';
import {
  newOperation,
  type Operation,
  type Verb,
} from '../../../services/machine/domain/operation.ts';
import { decide } from '../../../services/machine/domain/verbs.ts';
import { OPERATION_LIMITS } from '../../../services/machine/domain/view.ts';
import type { SchedulerPort } from '../../../services/machine/neighbours-port.ts';
import { createMachineWriter } from '../../../services/machine/store/machine-writer.ts';
import { machineMigrations } from '../../../services/machine/store/migrations.ts';
import { createRecords } from '../../../services/machine/store/records.ts';
import { createOperationRunner } from '../../../services/machine/work/operation-runner.ts';
import { createPerform } from '../../../services/machine/work/perform.ts';
import { ownClaimName } from '../../../services/machine/work/scheduler-client.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { openSql, type SqlStore } from '../../../services/store/sql/open.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { silentLog } from '../../support/silent-log.ts';
import { CLAIM_UID, MACHINE_UID, observed, PROVIDER_UID } from './fixtures.ts';

const AGENT = 'partitions/lab/agents/a1';
const ACTOR = { principal: 'users/ann', requestId: 'test' };
export const LEASE_MS = 30_000;

/** The scheduler: makes at most one claim per request id and name, as the real one does. */
const schedulerWorld = (resources: readonly string[]) => {
  const seen = { claims: 0, begun: 0, finished: 0 };
  const requests = new Set<string>();
  let state: 'none' | 'active' | 'releasing' | 'released' = 'none';
  const claimOf = (name: string) => ({
    name,
    uid: CLAIM_UID,
    state: state === 'none' ? ('pending' as const) : state,
    consumerType: 'runm.machine',
    consumerUid: MACHINE_UID,
    createMs: 0,
    places: resources.map((resourceType) => ({
      group: 'main',
      index: 0,
      provider: 'partitions/lab/providers/host-1',
      providerUid: PROVIDER_UID,
      resourceType,
      amount: 1,
      finished: state === 'released',
    })),
  });
  const port: SchedulerPort = {
    claim: async ({ machine, requestId }) => {
      if (!requests.has(requestId)) {
        requests.add(requestId);
        seen.claims += 1;
        state = 'active';
      }
      return { kind: 'held', claim: claimOf(ownClaimName(machine)) };
    },
    findClaim: async (name) => (state === 'none' ? undefined : claimOf(name)),
    beginRelease: async () => {
      if (state === 'active') seen.begun += 1;
      if (state === 'active') state = 'releasing';
    },
    finishRelease: async () => {
      if (state === 'releasing') seen.finished += 1;
      if (state === 'releasing') state = 'released';
    },
    tell: async () => undefined,
    usage: async () => undefined,
    watchClaims: async function* () {},
  };
  return { port, seen, isHeld: () => state === 'active' };
};

export type World = {
  readonly store: SqlStore;
  readonly records: ReturnType<typeof createRecords>;
  readonly clock: ReturnType<typeof manualClock>;
  readonly scheduler: ReturnType<typeof schedulerWorld>;
  /** How often the guest was booted. */
  readonly boots: () => number;
  readonly agentTurn: () => Promise<void>;
};

const GUEST = ['runm.cpu.shared', 'runm.memory'];

export const openWorld = async (resources: readonly string[] = GUEST): Promise<World> => {
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
  const records = createRecords(clock);
  let booted = 0;
  let boots = 0;
  const agentTurn = () =>
    store.transaction(undefined, ACTOR, async (tx) => {
      const row = await records.assignments.find(tx, MACHINE_UID);
      const machine = await records.machines.lock(tx, MACHINE_UID);
      if (row === undefined || machine === undefined || row.gone) return;
      if (row.absent) {
        await records.assignments.markGone(tx, MACHINE_UID);
        await records.machines.save(tx, machine);
        return;
      }
      const { power, bootGeneration } = machine.wanted;
      if (power === 'on' && bootGeneration > booted) {
        booted = bootGeneration;
        boots += 1;
      }
      const word = observed({
        generation: row.generation,
        power,
        bootGeneration: booted,
        ready: power === 'on',
        timeMs: clock.now().getTime(),
      });
      const seen = applyObservation(machine, word, clock.now().getTime());
      await records.machines.save(tx, seen.machine);
    });
  const scheduler = schedulerWorld(resources);
  return { store, records, clock, scheduler, boots: () => boots, agentTurn };
};

class Killed extends Error {}

/** A replica that dies at the n-th point at which it could: from then on it writes nothing. */
export const replica = (world: World, name: string, dieAt: number) => {
  let points = 0;
  let dead = false;
  const writer = createMachineWriter({
    records: world.records,
    clock: world.clock,
    random: systemRandom,
    incarnation: world.store.incarnation,
  });
  const store: SqlStore = {
    ...world.store,
    transaction: (...call) =>
      dead ? Promise.reject(new Killed()) : world.store.transaction(...call),
  };
  const runner = createOperationRunner({
    store,
    records: world.records,
    writer,
    clock: world.clock,
    log: silentLog,
    owner: name,
    limits: OPERATION_LIMITS,
    leaseMs: LEASE_MS,
    perform: createPerform({
      store,
      records: world.records,
      scheduler: world.scheduler.port,
      inventory: { findProvider: async () => undefined },
    }),
    agentFor: async () => AGENT,
    givesWay: () => false,
    at: () => {
      points += 1;
      if (points !== dieAt) return;
      dead = true;
      throw new Killed();
    },
  });
  return { run: runner.run, points: () => points };
};

export const seed = async (world: World, first: Machine, verb: Verb): Promise<Operation> => {
  const nowMs = world.clock.now().getTime();
  const operation = newOperation(
    {
      uid: systemRandom.uid(),
      partition: 'lab',
      project: 'red',
      verb,
      target: 'partitions/lab/projects/red/machines/web-1',
      targetUid: MACHINE_UID,
      caller: { principal: 'users/ann', onBehalfOf: '' },
      isMetal: isMetal(first),
    },
    nowMs,
  );
  await world.store.transaction(undefined, ACTOR, async (tx) => {
    const known = await world.records.machines.lock(tx, MACHINE_UID);
    const next = { ...first, operationUid: operation.uid };
    if (known === undefined) await world.records.machines.insert(tx, next);
    else {
      await world.records.machines.save(tx, next);
      const writer = createMachineWriter({ ...world, random: systemRandom, incarnation: () => 1 });
      await writer.renewAssignment(tx, next);
    }
    await world.records.operations.insert(tx, operation);
  });
  return operation;
};

export const signal = AbortSignal.timeout(300_000);

/** Runs until the operation is done; the first replica dies at its point, later ones do not. */
export const finish = async (
  world: World,
  uid: string,
  dieAt: number,
): Promise<{ points: number }> => {
  let points = 0;
  for (let turn = 0; turn < 30; turn += 1) {
    const one = replica(world, `replica-${turn}`, turn === 0 ? dieAt : 0);
    // The first one goes on from turn to turn as long as it lives.
    try {
      for (let more = 0; more < 6; more += 1) {
        await one.run(uid, signal);
        await world.agentTurn();
      }
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    points = Math.max(points, one.points());
    const operation = await world.store.read((r) => world.records.operations.find(r, uid));
    if (operation?.endMs !== null) return { points };
    await world.clock.advance(LEASE_MS + 1_000);
  }
  throw new Error('the operation does not end');
};

export const stateOf = async (world: World) => {
  const machine = await world.store.read((r) => world.records.machines.find(r, MACHINE_UID));
  return { state: machine?.state, problem: machine?.problem?.reason, free: machine?.operationUid };
};

type Day = {
  readonly killed: Verb;
  /** 0 = nobody dies. */
  readonly dieAt: number;
  readonly first: Machine;
  readonly resources?: readonly string[];
  /** Called after each verb. */
  readonly check?: (world: World) => Promise<void>;
};

/** create, stop, start, reset and delete in turn; the kill is in the verb asked for. */
export const day = async ({ killed, dieAt, first: made, resources, check }: Day) => {
  const world = await openWorld(resources);
  try {
    let points = 0;
    const states: unknown[] = [];
    const run = async (verb: Verb, first: Machine) => {
      const { uid } = await seed(world, first, verb);
      const ran = await finish(world, uid, verb === killed ? dieAt : 0);
      if (verb === killed) points = ran.points;
      const done = await world.store.read((r) => world.records.operations.find(r, uid));
      states.push([verb, await stateOf(world), done?.failure?.reason ?? 'ok']);
      await check?.(world);
    };
    await run('create', made);
    for (const verb of ['stop', 'start', 'reset', 'delete'] as const) {
      const machine = await world.store.read((r) => world.records.machines.find(r, MACHINE_UID));
      if (machine === undefined) throw new Error('the machine is gone too early');
      const asked = decide(machine, undefined, { verb, nowMs: world.clock.now().getTime() });
      if (asked.kind !== 'accepted') throw new Error(`${verb} was ${asked.kind}`);
      await run(verb, asked.machine);
    }
    return { points, states, seen: world.scheduler.seen, boots: world.boots() };
  } finally {
    await world.store.close();
  }
};

export const EXPECTED = [
  ['create', 'active'],
  ['stop', 'stopped'],
  ['start', 'active'],
  ['reset', 'active'],
  ['delete', 'gone'],
].map(([verb, state]) => [verb, { state, problem: undefined, free: null }, 'ok']);
