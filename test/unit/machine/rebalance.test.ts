/** A pool of agents shares its controllers, little by little, and comes to rest. */
import test from 'ava';
import {
  gapMin,
  type Held,
  MOVES_MAX,
  nextMove,
} from '../../../services/machine/domain/rebalance.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { seededRandom } from '../../support/seeded-random.ts';

type Chance = ReturnType<typeof seededRandom>;

const loadsOf = (held: readonly Held[], up: readonly string[]): Map<string, number> =>
  new Map(up.map((key) => [key, held.filter(({ agentKey }) => agentKey === key).length]));

const squares = (loads: ReadonlyMap<string, number>): number =>
  [...loads.values()].reduce((sum, load) => sum + load ** 2, 0);

const some = <T>(list: readonly T[], chance: Chance): T[] => {
  const chosen = list.filter(() => chance.fraction() < 0.6);
  return chosen.length > 0 ? chosen : list.slice(0, 1);
};

/** Lets moves begin and end by chance until nothing is to move; answers what is where then. */
const settle = (first: readonly Held[], up: readonly string[], chance: Chance) => {
  let held = first;
  let [underWay, most, moves] = [0, 0, 0];
  const potentials = [squares(loadsOf(held, up))];
  for (;;) {
    const loads = loadsOf(held, up);
    const isBusy = new Set(
      held.filter(() => chance.fraction() < 0.2).map((one) => one.providerUid),
    );
    const free = held.filter(({ providerUid }) => !isBusy.has(providerUid));
    const move = nextMove(free, { loads, underWay });
    if (move === undefined) {
      if (underWay === 0 && nextMove(held, { loads, underWay }) === undefined) break;
      underWay -= underWay > 0 ? 1 : 0;
      continue;
    }
    held = held.map((one) =>
      one.providerUid === move.providerUid ? { ...one, agentKey: move.to } : one,
    );
    moves += 1;
    underWay += 1;
    most = Math.max(most, underWay);
    potentials.push(squares(loadsOf(held, up)));
    if (chance.fraction() < 0.3) underWay -= 1;
  }
  return { held, most, moves, potentials };
};

test('whatever the pools, it ends balanced, never goes back, and few moves are under way', (t) => {
  const seed = Math.floor(systemRandom.fraction() * 2 ** 31);
  t.log(`seed ${seed}`);
  const chance = seededRandom(seed);
  for (let run = 0; run < 60; run += 1) {
    const agents = Array.from(
      { length: 2 + Math.floor(chance.fraction() * 4) },
      (_, at) => `a${at}`,
    );
    const up = some(agents, chance);
    const first = Array.from({ length: Math.floor(chance.fraction() * 80) }, (_, at): Held => {
      const pool = some(agents, chance);
      const agentKey = pool[Math.floor(chance.fraction() * pool.length)] ?? '';
      return { providerUid: `p${at}`, agentKey, pool };
    });
    const { held, most, potentials } = settle(first, up, chance);
    t.true(most <= MOVES_MAX);
    const isFalling = potentials.every((one, at) => at === 0 || one < (potentials[at - 1] ?? 0));
    t.true(isFalling, 'every move makes the loads more alike');
    const loads = loadsOf(held, up);
    for (const { agentKey, pool } of held) {
      const load = loads.get(agentKey);
      if (load === undefined) continue;
      for (const key of pool) t.true(load - (loads.get(key) ?? load) < gapMin(load));
    }
    const isIn = held.every(({ agentKey, pool }) => pool.includes(agentKey));
    t.true(isIn, 'nothing leaves its pool');
    const strays = held.filter((one, at) => one.agentKey !== first[at]?.agentKey);
    t.true(strays.every(({ agentKey }) => up.includes(agentKey)));
  }
});

test('an agent that joins gets its share, and one that is not connected gets nothing', (t) => {
  const pool = ['a', 'b', 'c'];
  const first = Array.from({ length: 30 }, (_, at) => ({
    providerUid: `p${at}`,
    agentKey: 'a',
    pool,
  }));
  const { held, moves } = settle(first, ['a', 'b'], seededRandom(1));
  const loads = loadsOf(held, pool);
  t.deepEqual([loads.get('b'), loads.get('c')], [moves, 0]);
  t.true(moves >= 14 && moves <= 15, 'and no more go than have to');
});

test('a difference that is not worth a sign-in is left as it is', (t) => {
  const pool = ['a', 'b'];
  const held = [{ providerUid: 'p', agentKey: 'a', pool }];
  const asked = (a: number, b: number) =>
    nextMove(held, { loads: new Map(Object.entries({ a, b })), underWay: 0 })?.to;
  t.is(asked(1, 0), undefined);
  t.is(asked(2, 0), 'b');
  t.is(asked(80, 71), undefined);
  t.is(asked(80, 70), 'b');
  t.is(nextMove(held, { loads: new Map([['b', 0]]), underWay: 0 }), undefined, 'a is away');
});
