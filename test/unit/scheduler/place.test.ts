import test, { type ExecutionContext } from 'ava';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import { type PlaceRequest, place } from '../../../services/scheduler/domain/place.ts';
import type { Plan } from '../../../services/scheduler/domain/plan.ts';
import {
  CPU,
  constraint,
  groupOf,
  MEMORY,
  type ProviderWish,
  stateWith,
  WHOLE,
} from './builders.ts';

const ask = (
  providers: readonly ProviderWish[],
  groups: readonly RequestGroup[],
  rest: Partial<PlaceRequest['spec']> &
    Pick<PlaceRequest, 'expansionsMax'> & { seed?: string } = {},
): Plan =>
  place(stateWith(providers).providers, {
    spec: { count: 1, ranking: 'pack', ...rest, groups },
    window: { fromMs: 0, toMs: 10 },
    seed: rest.seed ?? 'seed',
    ...(rest.expansionsMax !== undefined && { expansionsMax: rest.expansionsMax }),
  });

const chosen = (plan: Plan): string[] =>
  plan.kind === 'placed'
    ? plan.placements.map(({ provider }) => plan.providers[provider]?.uid ?? '')
    : [plan.kind];

const host = (uid: string, rest: Partial<ProviderWish> = {}): ProviderWish => ({
  uid,
  offers: { [CPU]: 8, [MEMORY]: 64 },
  ...rest,
});

type Fits = {
  readonly providers: readonly ProviderWish[];
  readonly group: RequestGroup;
  readonly expected: readonly string[];
};

const fits = test.macro((t: ExecutionContext, { providers, group, expected }: Fits) => {
  t.deepEqual(chosen(ask(providers, [group])).sort(), [...expected].sort());
});

type Refused = {
  readonly providers: readonly ProviderWish[];
  readonly group: RequestGroup;
  readonly removedBy: Readonly<Record<string, number>>;
  readonly suffices?: readonly string[];
};

const refused = test.macro((t: ExecutionContext, wish: Refused) => {
  const plan = ask(wish.providers, [wish.group]);
  if (plan.kind !== 'refused') return t.fail(plan.kind);
  const { funnel } = plan.refusal;
  const removing = funnel.steps.filter(({ removed }) => removed > 0);
  const removedBy = Object.fromEntries(removing.map((one) => [one.constraint, one.removed]));
  t.deepEqual(removedBy, wish.removedBy);
  t.is(funnel.remaining, 0);
  if (wish.suffices !== undefined)
    t.deepEqual(funnel.fitsWithout.toSorted(), wish.suffices.toSorted());
});

test('a required capability keeps the providers that have it', fits, {
  providers: [host('a'), host('b', { capabilities: ['cpu.x86.avx2'] })],
  group: groupOf({ [CPU]: 1 }, { capabilities: [constraint({ require: ['cpu.x86.avx2'] })] }),
  expected: ['b'],
});
test('a forbidden capability keeps the providers without it', fits, {
  providers: [host('a'), host('b', { capabilities: ['vm.accelerator.tcg'] })],
  group: groupOf({ [CPU]: 1 }, { capabilities: [constraint({ forbid: ['vm.accelerator.tcg'] })] }),
  expected: ['a'],
});
test('any of several groups is enough', fits, {
  providers: [host('a', { groups: ['row-1'] }), host('b', { groups: ['row-3'] })],
  group: groupOf({ [CPU]: 1 }, { providerGroups: constraint({ any: ['row-2', 'row-3'] }) }),
  expected: ['b'],
});
test('tags are required like capabilities', fits, {
  providers: [host('a', { tags: ['old'] }), host('b', { tags: ['old', 'quiet'] })],
  group: groupOf({ [CPU]: 1 }, { tags: constraint({ require: ['quiet'] }) }),
  expected: ['b'],
});
test('named providers are the only ones looked at', fits, {
  providers: [host('a'), host('b'), host('c')],
  group: groupOf({ [CPU]: 1 }, { providers: ['c'] }),
  expected: ['c'],
});
test('a closed provider gets nothing', fits, {
  providers: [host('a', { closed: true }), host('b')],
  group: groupOf({ [CPU]: 1 }),
  expected: ['b'],
});
test('an amount must be a multiple of the step', fits, {
  providers: [
    host('a', { offers: { [CPU]: { usable: 8, stepSize: 4, maxUnit: 8 } } }),
    host('b', { offers: { [CPU]: { usable: 8, stepSize: 3, maxUnit: 8 } } }),
  ],
  group: groupOf({ [CPU]: 6 }),
  expected: ['b'],
});
test('an amount must lie between the units', fits, {
  providers: [
    host('a', { offers: { [CPU]: { usable: 8, maxUnit: 3 } } }),
    host('b', { offers: { [CPU]: { usable: 8, minUnit: 5, maxUnit: 8 } } }),
    host('c'),
  ],
  group: groupOf({ [CPU]: 4 }),
  expected: ['c'],
});

test('a refusal counts what each constraint removed and names the one in the way', refused, {
  providers: [
    host('a', { closed: true, capabilities: ['x'] }),
    host('b'),
    host('c'),
    host('d', { capabilities: ['x'], offers: { [CPU]: 2 } }),
  ],
  group: groupOf({ [CPU]: 4 }, { capabilities: [constraint({ require: ['x'] })] }),
  removedBy: { 'capability x': 2, [`${CPU} of 4`]: 1, 'open for claims': 1 },
  suffices: ['open for claims', 'capability x', `${CPU} of 4`],
});
test('a refusal without any provider removes nothing', refused, {
  providers: [],
  group: groupOf({ [CPU]: 1 }),
  removedBy: {},
  suffices: [],
});
test('a resource type that nobody offers says so', refused, {
  providers: [host('a')],
  group: groupOf({ 'runm.ipv4': 1 }),
  removedBy: { 'runm.ipv4 offered': 1 },
});

test('pack takes the fullest that still fits and spread the emptiest', (t) => {
  const providers = [
    host('small', { offers: { [CPU]: 4 } }),
    host('large', { offers: { [CPU]: 16 } }),
  ];
  const count = 3;
  const groups = [groupOf({ [CPU]: 2 })];
  t.deepEqual(chosen(ask(providers, groups, { count, ranking: 'spread' })).length, 3);
  const packed = chosen(ask(providers, groups, { count: 2, ranking: 'pack' }));
  t.is(new Set(packed).size, 1, 'the second goes where the first is');
  const spread = chosen(ask(providers, groups, { count: 2, ranking: 'spread' }));
  t.is(new Set(spread).size, 2, 'the second goes elsewhere');
});

test('the same seed gives the same plan and seeds differ', (t) => {
  const providers = Array.from({ length: 12 }, (_, at) => host(`p${at}`));
  const plan = (seed: string) =>
    chosen(ask(providers, [groupOf({ [CPU]: 1 })], { ranking: 'random', seed }))[0];
  t.is(plan('one'), plan('one'));
  t.true(new Set(Array.from({ length: 20 }, (_, at) => plan(`seed-${at}`))).size > 3);
});

test('count is all or nothing', (t) => {
  const providers = [host('a'), host('b')];
  const groups = [groupOf({ [CPU]: 3 })];
  t.is(chosen(ask(providers, groups, { count: 4 })).length, 4);
  const plan = ask(providers, groups, { count: 5 });
  t.is(plan.kind, 'refused');
});

test('many alike that do not fit are refused at once, not given up', (t) => {
  const providers = Array.from({ length: 60 }, (_, at) => host(`p${at}`, { offers: { [CPU]: 1 } }));
  const groups = [groupOf({ [CPU]: 1 })];
  t.is(ask(providers, groups, { count: 61, expansionsMax: 1000 }).kind, 'refused');
  t.is(ask(providers, groups, { count: 60, expansionsMax: 1000 }).kind, 'placed');
});

test('groups that isolate each other are on different providers', (t) => {
  const providers = [host('a'), host('b')];
  const one = groupOf({ [CPU]: 1 }, { name: 'one', isolateFrom: ['two'] });
  const two = groupOf({ [CPU]: 1 }, { name: 'two' });
  t.is(new Set(chosen(ask(providers, [one, two]))).size, 2);
  t.is(ask([host('a')], [one, two]).kind, 'refused');
});

test('a group isolated from itself is spread over as many providers as it counts', (t) => {
  const group = groupOf({ [CPU]: 1 }, { isolateFrom: ['main'] });
  const providers = [host('a'), host('b'), host('c')];
  t.is(new Set(chosen(ask(providers, [group], { count: 3 }))).size, 3);
  t.is(ask(providers, [group], { count: 4 }).kind, 'refused');
});

test('a choice that leaves no room for the next group is taken back', (t) => {
  const providers = [
    host('a', { offers: { [CPU]: 4 } }),
    host('b', { offers: { [CPU]: 6 }, capabilities: ['x'] }),
  ];
  const small = groupOf({ [CPU]: 4 }, { name: 'small' });
  const large = groupOf(
    { [CPU]: 6 },
    { name: 'large', capabilities: [constraint({ require: ['x'] })] },
  );
  t.deepEqual(chosen(ask(providers, [small, large])), ['a', 'b']);
});

test('what failed on one of two alike may still go where the plan is already', (t) => {
  const metal = (uid: string) => host(uid, { offers: { [CPU]: 8, [WHOLE]: 1 } });
  const groups = [
    groupOf({ [CPU]: 1 }, { name: 'one' }),
    groupOf({ [CPU]: 1 }, { name: 'two' }),
    groupOf({ [WHOLE]: 1 }, { name: 'whole' }),
  ];
  const spread = ask([metal('a'), metal('b')], groups, { ranking: 'spread' });
  const [one, two, whole] = chosen(spread);
  t.is(one, two, 'both slices share a machine, so that the other is whole');
  t.not(one, whole);
});

test('a search beyond its budget gives up instead of saying no', (t) => {
  const providers = Array.from({ length: 12 }, (_, at) => host(`p${at}`, { offers: { [CPU]: 5 } }));
  const groups = [
    groupOf({ [CPU]: 2 }, { name: 'a' }),
    groupOf({ [CPU]: 3 }, { name: 'b' }),
    groupOf({ [CPU]: 4 }, { name: 'c' }),
  ];
  const plan = ask(providers, groups, { count: 6, expansionsMax: 200 });
  t.is(plan.kind, 'gave-up');
});

test('a whole provider is taken only when nothing is on it and then holds everything', (t) => {
  const metal = host('m', { offers: { [CPU]: 8, [MEMORY]: 64, [WHOLE]: 1 } });
  t.deepEqual(chosen(ask([metal], [groupOf({ [WHOLE]: 1, [MEMORY]: 64 })])), ['m']);
  t.is(ask([metal], [groupOf({ [WHOLE]: 1 })], { count: 2 }).kind, 'refused');
  const both = [groupOf({ [WHOLE]: 1 }, { name: 'w' }), groupOf({ [CPU]: 1 }, { name: 's' })];
  t.is(ask([metal], both).kind, 'refused');
  t.is(ask([host('v')], [groupOf({ [WHOLE]: 1 })]).kind, 'refused', 'it must be offered');
});
