/**
 * Kills the replica at every point of every plan and lets another resume: the end is the same and
 * nothing is made twice. The real runner over a real database; scheduler and agent are worlds of
 * their own that outlive the kill.
 */
import test, { type ExecutionContext } from 'ava';
import type { Machine } from '../../services/machine/domain/machine.ts';
import { unavailable } from '../../services/runtime/errors.ts';
import {
  day,
  EXPECTED,
  finish,
  LEASE_MS,
  openWorld,
  replica,
  seed,
  signal,
  stateOf,
  type World,
} from '../unit/machine/crash-world.ts';
import { MACHINE_UID, machine as newMachine, spec } from '../unit/machine/fixtures.ts';

for (const verb of ['create', 'stop', 'start', 'reset', 'delete'] as const) {
  test(`a kill at any point of ${verb} changes nothing but the time`, async (t) => {
    const calm = await day({ killed: verb, dieAt: 0, first: newMachine() });
    t.deepEqual(calm.states, EXPECTED);
    t.true(calm.points > 1);
    for (let dieAt = 1; dieAt <= calm.points; dieAt += 1) {
      const day1 = await day({ killed: verb, dieAt, first: newMachine() });
      t.deepEqual(day1.states, EXPECTED, `killed at point ${dieAt}`);
      t.deepEqual(day1.seen, { claims: 1, begun: 1, finished: 1 }, `killed at point ${dieAt}`);
      t.is(day1.boots, 3, `killed at point ${dieAt}`);
    }
  });
}

const SERVER: Partial<Machine> = {
  spec: spec({ type: 'bare_metal', cpus: 0, memoryBytes: 0 }),
};

/** What is given back is off and nobody's, whatever died on the way. */
const givenBackSafely = async (t: ExecutionContext, world: World) => {
  if (world.scheduler.seen.begun === 0) return;
  const machine = await world.store.read((r) => world.records.machines.find(r, MACHINE_UID));
  t.like(machine?.wanted, { access: false, power: 'off' });
  t.like(machine?.observed, { power: 'off' });
};

for (const verb of ['create', 'stop', 'start', 'reset', 'delete'] as const) {
  test(`on metal a kill at any point of ${verb} changes nothing but the time`, async (t) => {
    const whole = {
      killed: verb,
      first: newMachine(SERVER),
      resources: ['runm.machine.whole'],
      check: (world: World) => givenBackSafely(t, world),
    };
    const calm = await day({ ...whole, dieAt: 0 });
    t.deepEqual(calm.states, EXPECTED);
    t.true(calm.points > 1);
    for (let dieAt = 1; dieAt <= calm.points; dieAt += 1) {
      const day1 = await day({ ...whole, dieAt });
      t.deepEqual(day1.states, EXPECTED, `killed at point ${dieAt}`);
      // What cleans it finishes the release, not the deletion.
      t.deepEqual(day1.seen, { claims: 1, begun: 1, finished: 0 }, `killed at point ${dieAt}`);
      t.is(day1.boots, 3, `killed at point ${dieAt}`);
    }
  });
}

test('a scheduler that does not answer is asked again until it does', async (t) => {
  const world = await openWorld();
  let failures = 3;
  const { claim } = world.scheduler.port;
  const flaky: World = {
    ...world,
    scheduler: {
      ...world.scheduler,
      port: {
        ...world.scheduler.port,
        claim: async (asked, stop) => {
          failures -= 1;
          if (failures >= 0) throw unavailable('OUTCOME_UNKNOWN', 'nobody knows');
          return claim(asked, stop);
        },
      },
    },
  };
  const { uid } = await seed(flaky, newMachine(), 'create');
  await finish(flaky, uid, 0);
  t.like(await stateOf(world), { state: 'active' });
  t.is(world.scheduler.seen.claims, 1);
  await world.store.close();
});

test('a replica that lost its lease writes nothing when it wakes', async (t) => {
  const world = await openWorld();
  const { uid } = await seed(world, newMachine(), 'create');
  let other: Promise<unknown> | undefined;
  let woken = 0;
  const { claim } = world.scheduler.port;
  const frozen: World = {
    ...world,
    scheduler: {
      ...world.scheduler,
      port: {
        ...world.scheduler.port,
        claim: async (asked, stop) => {
          const answer = await claim(asked, stop);
          // While this call hangs, the lease ends and another replica does everything.
          await world.clock.advance(LEASE_MS + 1_000);
          other = finish(world, uid, 0);
          await other;
          woken += 1;
          return answer;
        },
      },
    },
  };
  const before = replica(frozen, 'frozen', 0);
  await before.run(uid, signal);
  t.is(woken, 1);
  const operation = await world.store.read((r) => world.records.operations.find(r, uid));
  t.is(operation?.failure, null);
  t.like(await stateOf(world), { state: 'active' });
  const events = await world.store.read(({ kysely }) =>
    kysely<{ event: { doc: string } }>().selectFrom('event').select('doc').execute(),
  );
  const types = events.map((row) => JSON.parse(row.doc).type);
  t.deepEqual(types, ['machine.claimed', 'machine.assigned', 'machine.active']);
  await world.store.close();
});
