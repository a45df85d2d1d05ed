/**
 * Kills the replica at every point of inspections, cleanings and changes of credentials: it ends as
 * it would have, no cleaning runs beside another, nothing is freed that is not clean, and the
 * controller's password is always one that somebody knows.
 */
import test, { type ExecutionContext } from 'ava';
import { newTask, type TaskKind } from '../../../services/machine/domain/hardware-task.ts';
import { newProviderState } from '../../../services/machine/domain/provider-state.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import {
  beginTask,
  CLAIM,
  endTask,
  openTaskWorld,
  PROVIDER,
  type TaskWorld,
} from './task-world.ts';

const ACTOR = { principal: 'users/ann', requestId: 'test' };
const FIRST: Readonly<Record<TaskKind, string>> = {
  inspect: 'read',
  clean: 'quiet',
  rotate: 'stage',
};

const seed = async (world: TaskWorld, kind: TaskKind): Promise<string> => {
  const uid = systemRandom.uid();
  const nowMs = world.clock.now().getTime();
  const { uid: providerUid, partition } = PROVIDER;
  const { records, store } = world;
  await store.transaction(undefined, ACTOR, async (tx) => {
    const asked = { providerUid, partition, owner: 'x', untilMs: nowMs, nowMs };
    await records.providers.hold(tx, asked);
    const state = kind === 'inspect' ? 'inspecting' : 'available';
    await records.providers.save(
      tx,
      { ...newProviderState(providerUid, partition), state, sinceMs: nowMs },
      'x',
    );
    if (kind !== 'clean') return;
    await records.cleanings.insert(tx, {
      claimUid: CLAIM.uid,
      claim: CLAIM.name,
      providerUid,
      partition,
      sinceMs: nowMs,
      life: 'releasing',
      lifeMs: nowMs,
      problem: null,
      doneMs: null,
    });
  });
  const data = { secret: 'projects/p/secrets/s', claim: CLAIM.name, provider: PROVIDER.name };
  const subject = kind === 'clean' ? CLAIM.uid : '';
  const place = { providerUid, partition, subject, step: FIRST[kind], principal: '', data };
  await beginTask(world, newTask({ uid, kind, ...place }, nowMs));
  return uid;
};

/** What is left when all is over. */
const endOf = async ({ store, records, seen }: TaskWorld, uid: string) => {
  const { uid: providerUid } = PROVIDER;
  return store.read(async (reader) => ({
    failure: (await records.tasks.find(reader, uid))?.failure ?? null,
    state: (await records.providers.find(reader, providerUid))?.state,
    waiting: (await records.cleanings.ofProviders(reader, [providerUid])).length,
    power: seen.power,
    closed: seen.closed,
    wrongs: seen.wrongs,
    known: seen.password === seen.secret.data && seen.secret.staged === '',
    rotated: seen.password !== 'first',
  }));
};

const run = async (t: ExecutionContext, kind: TaskKind, dieAt: number) => {
  const world = await openTaskWorld();
  try {
    const uid = await seed(world, kind);
    const points = await endTask(world, uid, dieAt);
    if (kind === 'clean') t.true(world.seen.finished >= 1);
    return { points, end: await endOf(world, uid) };
  } finally {
    await world.store.close();
  }
};

const EXPECTED = {
  failure: null,
  state: 'available',
  waiting: 0,
  power: 'on',
  wrongs: [],
  known: true,
  rotated: false,
};

const ENDS: Readonly<Record<TaskKind, object>> = {
  inspect: { ...EXPECTED, closed: false },
  clean: { ...EXPECTED, closed: undefined, power: 'off' },
  rotate: { ...EXPECTED, closed: undefined, rotated: true },
};

for (const kind of ['inspect', 'clean', 'rotate'] as const) {
  test(`a kill at any point of ${kind} changes nothing but the time`, async (t) => {
    const calm = await run(t, kind, 0);
    t.deepEqual(calm.end, ENDS[kind] as typeof calm.end);
    t.true(calm.points > 4);
    for (let dieAt = 1; dieAt <= calm.points; dieAt += 1) {
      const { end } = await run(t, kind, dieAt);
      t.deepEqual(end, ENDS[kind] as typeof end, `killed at point ${dieAt}`);
    }
  });
}

test('a cleaning whose replica died is begun anew only when it must be over', async (t) => {
  const world = await openTaskWorld();
  world.hookKills = true;
  const uid = await seed(world, 'clean');
  await endTask(world, uid, 0);
  t.deepEqual(await endOf(world, uid), ENDS.clean as Awaited<ReturnType<typeof endOf>>);
  t.is(world.seen.hooks, 2);
  await world.store.close();
});

test('what is away for long ends in a failed state that says why, and frees nothing', async (t) => {
  for (const [away, kind] of [
    ['agent', 'inspect'],
    ['inventory', 'inspect'],
    ['agent', 'clean'],
    ['inventory', 'clean'],
    ['agent', 'rotate'],
    ['inventory', 'rotate'],
    ['secrets', 'rotate'],
  ] as const) {
    const world = await openTaskWorld();
    world.away.add(away);
    const uid = await seed(world, kind);
    await endTask(world, uid, 0);
    const { failure, state, waiting } = await endOf(world, uid);
    t.truthy(failure, `${kind} without ${away}`);
    if (kind === 'inspect') t.is(state, 'inspect_failed', `${kind} without ${away}`);
    if (kind === 'clean') t.is(waiting, 1);
    t.is(world.seen.finished, 0);
    await world.store.close();
  }
});

test('a bug that is met again and again ends in a failed state too, and frees nothing', async (t) => {
  for (const [broken, kind] of [
    ['inventory', 'inspect'],
    ['scheduler', 'inspect'],
    ['agent', 'clean'],
    ['scheduler', 'clean'],
    ['inventory', 'rotate'],
    ['secrets', 'rotate'],
  ] as const) {
    const world = await openTaskWorld();
    world.broken.add(broken);
    const uid = await seed(world, kind);
    await endTask(world, uid, 0);
    const { failure, state, waiting } = await endOf(world, uid);
    t.is(failure?.reason, 'INTERNAL', `${kind} with a broken ${broken}`);
    if (kind === 'inspect') t.is(state, 'inspect_failed');
    if (kind === 'clean') t.is(waiting, 1);
    t.is(world.seen.finished, 0);
    await world.store.close();
  }
});

test('tasks at a provider that inventory has deleted end, and give back what was held', async (t) => {
  for (const kind of ['inspect', 'clean'] as const) {
    const world = await openTaskWorld();
    world.isForgotten = true;
    const uid = await seed(world, kind);
    await endTask(world, uid, 0);
    const { failure, waiting } = await endOf(world, uid);
    t.is(failure, null);
    t.is(waiting, 0);
    t.is(world.seen.finished, kind === 'clean' ? 1 : 0);
    await world.store.close();
  }
});
