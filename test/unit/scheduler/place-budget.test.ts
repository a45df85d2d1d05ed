/**
 * No request takes the leader for long: what a search does is counted, by its budget and here by
 * how often it asks whether a provider is in a set.
 */
import test from 'ava';
import {
  type Budget,
  createBudget,
  LOOKS_PER_EXPANSION,
} from '../../../services/scheduler/domain/budget.ts';
import type { DistanceConstraint, RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import { explain } from '../../../services/scheduler/domain/explain.ts';
import {
  createWindowBudget,
  findWindows,
} from '../../../services/scheduler/domain/find-windows.ts';
import { NumberSet } from '../../../services/scheduler/domain/number-set.ts';
import {
  EXPANSIONS_MAX,
  findPlace,
  type PlaceRequest,
} from '../../../services/scheduler/domain/place.ts';
import type { ProviderIndex } from '../../../services/scheduler/domain/provider-index.ts';
import type { GroupFacts, Topology } from '../../../services/scheduler/domain/topology.ts';
import { atOnce, CPU, constraint, groupOf, MEMORY, stateWith, WHOLE } from './builders.ts';

const groupFacts = (id: string, kind: GroupFacts['kind'], parent?: string) =>
  [id, { id, kind, parent, sharedProviders: [], distances: [] }] as const;

const RACKS_PER_ROW = 10;

const topologyOf = (racks: number): Topology => ({
  groups: new Map(
    Array.from({ length: racks }, (_, rack) => {
      const row = `row-${Math.floor(rack / RACKS_PER_ROW)}`;
      return [groupFacts(row, 'row'), groupFacts(`rack-${rack}`, 'rack', row)];
    }).flat(),
  ),
  distanceTypes: new Map([
    [
      'network',
      {
        code: 'network',
        steps: [
          { code: 'same-rack', position: 1, sharedKind: 'rack' },
          { code: 'same-row', position: 2, sharedKind: 'row' },
        ],
      },
    ],
  ]),
  turnaroundMs: new Map(),
  schedulable: new Set(),
});

/** Machines of a few kinds, as many in each rack. */
const fleetOf = (racks: number, each: number): ProviderIndex => {
  const { providers } = stateWith(
    Array.from({ length: racks * each }, (_, n) => ({
      uid: `p${n}`,
      offers: { [WHOLE]: 1 },
      capabilities: [`kind-${n % 3}`],
      groups: [`rack-${Math.floor(n / each)}`],
    })),
  );
  providers.setTopology(topologyOf(racks));
  return providers;
};

const WINDOW = { fromMs: 0, toMs: 10 };

const requestOf = (groups: readonly RequestGroup[], rest: Partial<PlaceRequest['spec']> = {}) => ({
  spec: { count: 1, ranking: 'pack' as const, ...rest, groups },
  window: WINDOW,
  seed: 'seed',
});

const SPREAD = { groupKind: 'rack', maxPerGroup: 1 } as const;
const machine = (name: string, rest: Partial<RequestGroup> = {}) =>
  groupOf({ [WHOLE]: 1 }, { name, ...rest });

const from = (name: string, rest: Partial<DistanceConstraint>) => ({
  distances: [{ type: 'network', from: { kind: 'request-group', name } as const, ...rest }],
});

/** In one rack, and not in one row. */
const CONTRADICTION = [
  machine('a', from('b', { maximum: 'same-rack' })),
  machine('b', from('a', { minimum: 'same-row' })),
];

/** With how many sets were asked for a member meanwhile. */
const counted = <T>(act: () => T): { readonly answer: T; readonly asked: number } => {
  const { has } = NumberSet.prototype;
  let asked = 0;
  NumberSet.prototype.has = function count(n) {
    asked += 1;
    return has.call(this, n);
  };
  try {
    return { answer: act(), asked };
  } finally {
    NumberSet.prototype.has = has;
  }
};

const limitOf = ({ expansionsMax }: Budget) => expansionsMax * LOOKS_PER_EXPANSION;

test('a count above what the racks take is refused before anything is tried', (t) => {
  const index = fleetOf(500, 4);
  const budget = createBudget(EXPANSIONS_MAX);
  const request = requestOf([machine('a')], { count: 501, spread: SPREAD });
  const { answer, asked } = counted(() => findPlace(index, { ...request, budget }));
  t.is(answer.kind, 'none');
  t.is(budget.expansions, 0);
  t.true(asked < 10_000, `${asked}`);
});

test('a rack without room takes nothing of a count', (t) => {
  const index = fleetOf(40, 3);
  const request = requestOf([machine('a')], { count: 40, spread: SPREAD });
  t.is(findPlace(index, request).kind, 'placed');
  for (const uid of ['p30', 'p31', 'p32']) index.shut(uid);
  const budget = createBudget(EXPANSIONS_MAX);
  t.is(findPlace(index, { ...request, budget }).kind, 'none');
  t.is(budget.expansions, 0);
});

test('groups of one index share a rack where there are no more racks than indices', (t) => {
  const index = fleetOf(40, 3);
  const groups = [machine('a'), machine('b')];
  const plan = findPlace(index, requestOf(groups, { count: 40, spread: SPREAD }));
  t.is(plan.kind, 'placed');
  const budget = createBudget(EXPANSIONS_MAX);
  const more = requestOf(groups, { count: 41, spread: SPREAD });
  t.is(findPlace(index, { ...more, budget }).kind, 'none');
  t.is(budget.expansions, 0);
});

test('distances that contradict each other are refused within the budget', (t) => {
  const index = fleetOf(100, 100);
  const budget = createBudget(EXPANSIONS_MAX);
  const request = requestOf(CONTRADICTION);
  const { answer, asked } = counted(() => findPlace(index, { ...request, budget }));
  t.is(answer.kind, 'none');
  t.true(budget.looks < limitOf(budget), `${budget.looks}`);
  t.true(asked < limitOf(budget), `${asked}`);
});

test('what contradicts a choice long before it is compared with it soon', (t) => {
  const index = fleetOf(20, 10);
  const [first, last] = CONTRADICTION;
  const between = Array.from({ length: 6 }, (_, n) => machine(`m${n}`));
  const budget = createBudget(EXPANSIONS_MAX);
  const groups = [first, ...between, last].flatMap((group) => group ?? []);
  t.is(findPlace(index, { ...requestOf(groups), budget }).kind, 'none');
  t.true(budget.expansions < 1_000, `${budget.expansions}`);
  const near = machine('b', from('a', { maximum: 'same-rack' }));
  const possible = [first, ...between, near].flatMap((group) => group ?? []);
  t.is(findPlace(index, requestOf(possible)).kind, 'placed');
});

test('a budget ends whatever a search does, and then nobody knows', (t) => {
  const index = fleetOf(100, 100);
  const wishes = [
    requestOf(CONTRADICTION),
    requestOf(CONTRADICTION, { count: 20 }),
    requestOf(CONTRADICTION, { count: 20, ranking: 'closest', rankingDistanceType: 'network' }),
    requestOf(CONTRADICTION, { count: 20, ranking: 'spread', rankingDistanceType: 'network' }),
    requestOf(CONTRADICTION, { count: 20, spread: SPREAD }),
  ];
  for (const request of wishes) {
    const budget = createBudget(1_000);
    const { answer, asked } = counted(() => findPlace(index, { ...request, budget }));
    t.is(answer.kind, 'gave-up');
    // The fleet is looked at once for each group in any case.
    const most = 2 * limitOf(budget) + 2 * index.size();
    t.true(asked < most, `${asked} of ${most}`);
  }
});

test('what is to be close is put anywhere when the budget is spent before the nearest place', (t) => {
  const index = fleetOf(100, 10);
  // No rack has room for all of it; each must be looked at before a row is.
  for (let n = 0; n < index.size(); n += 1) if (n % 10 < 3) index.shut(`p${n}`);
  const spec = { count: 8, ranking: 'closest', rankingDistanceType: 'network' } as const;
  const request = requestOf([machine('a')], spec);
  const enough = createBudget(EXPANSIONS_MAX);
  const near = findPlace(index, { ...request, budget: enough });
  if (near.kind !== 'placed') return t.fail(near.kind);
  const rows = near.providers.map(({ uid }) => Math.floor(Number(uid.slice(1)) / 100));
  t.is(new Set(rows).size, 1);
  const little = createBudget(200);
  t.is(findPlace(index, { ...request, budget: little }).kind, 'placed');
  t.true(little.looks > limitOf(little) / 2, 'half of it went into places that are near');
  t.true(little.looks < enough.looks);
});

test('what several must have together is looked for where it is', (t) => {
  const { providers } = stateWith(
    Array.from({ length: 10_000 }, (_, n) => ({
      uid: `p${n}`,
      offers: { [CPU]: 2, [MEMORY]: 2 },
      tags: n === 7_000 ? ['t'] : [],
    })),
  );
  const tags = constraint({ require: ['t'] });
  const group = groupOf({ [CPU]: 2, [MEMORY]: 2 }, { multipleProviders: true, tags });
  const budget = createBudget(EXPANSIONS_MAX);
  // It holds the one half of the first, and the other half of the second.
  t.is(findPlace(providers, { ...requestOf([group], { count: 2 }), budget }).kind, 'placed');
  t.true(budget.looks < 100_000, `${budget.looks}`);
  const more = requestOf([group], { count: 3 });
  t.is(findPlace(providers, { ...more, budget: createBudget(EXPANSIONS_MAX) }).kind, 'none');
});

test('places that have hardly anything of a large group are left soon', (t) => {
  const index = fleetOf(60, 500);
  // More than is judged one by one, and all in the first row.
  const first = Array.from({ length: 6 }, (_, rack) => `rack-${rack}`);
  const providerGroups = constraint({ any: first });
  const budget = createBudget(EXPANSIONS_MAX);
  const spread = { groupKind: 'row', maxPerGroup: 0 } as const;
  const request = requestOf([machine('a', { providerGroups })], { count: 3, spread });
  const plan = findPlace(index, { ...request, budget });
  t.is(plan.kind, 'placed');
  t.true(budget.looks < 6 * index.size(), `${budget.looks}`);
});

test('one free machine in each rack is found where all others are held', (t) => {
  const index = fleetOf(100, 100);
  for (let n = 0; n < index.size(); n += 1) {
    if (n % 100 === 7) continue;
    const hold = { claimUid: `c${n}`, amounts: new Map([[WHOLE, 1]]), fromMs: 0, toMs: 100 };
    index.setHold(`p${n}`, `c${n}`, hold);
  }
  const budget = createBudget(EXPANSIONS_MAX);
  const request = requestOf([machine('a')], { count: 100, spread: SPREAD });
  const plan = findPlace(index, { ...request, budget });
  if (plan.kind !== 'placed') return t.fail(plan.kind);
  t.true(plan.providers.every(({ uid }) => Number(uid.slice(1)) % 100 === 7));
  t.true(budget.looks < 15 * index.size(), `${budget.looks}`);
});

/** Machines of which something is held later, so that each is judged for itself. */
const bookedOf = (machines: number): ProviderIndex => {
  const { providers } = stateWith(
    Array.from({ length: machines }, (_, n) => ({ uid: `p${n}`, offers: { [CPU]: 64 } })),
  );
  for (let n = 0; n < machines; n += 1) {
    const hold = { claimUid: `c${n}`, amounts: new Map([[CPU, 40]]), fromMs: 20, toMs: 30 };
    providers.setHold(`p${n}`, `c${n}`, hold);
  }
  return providers;
};

const slices = (groups: number, least: number) =>
  Array.from({ length: groups }, (_, n) => groupOf({ [CPU]: least + n }, { name: `g${n}` }));

test('no more of a fleet is looked at than its limit, however many groups ask', (t) => {
  const index = bookedOf(1_000);
  const onceMax = 12_000;
  const late = { ...requestOf(slices(16, 30)), window: { fromMs: 0, toMs: 100 } };
  const all = createBudget(EXPANSIONS_MAX);
  t.is(findPlace(index, { ...late, budget: all }).kind, 'none');
  t.true(all.once.looks > 20 * onceMax, `${all.once.looks}`);
  const few = createBudget(EXPANSIONS_MAX, onceMax);
  t.is(findPlace(index, { ...late, budget: few }).kind, 'gave-up', 'not all of it was looked at');
  t.true(few.once.looks < 1.1 * onceMax, `${few.once.looks}`);
  const now = createBudget(EXPANSIONS_MAX, onceMax);
  const plan = findPlace(index, { ...requestOf(slices(16, 30)), budget: now });
  t.is(plan.kind, 'placed', 'each group has its share');
  t.true(now.once.looks < 1.1 * onceMax, `${now.once.looks}`);
});

test('trials of an explanation share one budget', (t) => {
  const index = fleetOf(100, 100);
  const { answer, asked } = counted(() =>
    atOnce(explain(index, requestOf(CONTRADICTION, { count: 20 }))),
  );
  t.false(answer.fits);
  t.true(asked < 3 * EXPANSIONS_MAX * LOOKS_PER_EXPANSION, `${asked}`);
});

test('instants at which windows are tried share one budget', (t) => {
  const index = fleetOf(100, 100);
  for (let n = 0; n < 150; n += 1) {
    const hold = { claimUid: `c${n}`, amounts: new Map([[WHOLE, 1]]), fromMs: n, toMs: n + 1 };
    index.setHold(`p${n}`, `c${n}`, hold);
  }
  const question = { durationMs: 5, earliestMs: 0, latestMs: 200, limit: 5 };
  const budget = createBudget(2_000);
  const request = requestOf(CONTRADICTION, { count: 20 });
  const { answer, asked } = counted(() =>
    atOnce(findWindows(index, request, question, createWindowBudget(budget))),
  );
  t.deepEqual(answer, { windows: [], isComplete: false });
  const most = 4 * limitOf(budget) + 4 * index.size();
  t.true(asked < most, `${asked} of ${most}`);
});
