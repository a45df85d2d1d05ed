/** What a refusal says stands in the way, and what is suggested instead. */
import test, { type ExecutionContext } from 'ava';
import type { RequestGroup, SpreadRule } from '../../../services/scheduler/domain/claim.ts';
import { explain } from '../../../services/scheduler/domain/explain.ts';
import { type PlaceRequest, place } from '../../../services/scheduler/domain/place.ts';
import type { Refusal } from '../../../services/scheduler/domain/plan.ts';
import { NO_TOPOLOGY, type Topology } from '../../../services/scheduler/domain/topology.ts';
import {
  atOnce,
  CPU,
  constraint,
  factsOf,
  groupOf,
  MEMORY,
  type ProviderWish,
  stateWith,
  WHOLE,
} from './builders.ts';

type Wish = {
  readonly providers: readonly ProviderWish[];
  readonly groups: readonly RequestGroup[];
  readonly count?: number;
  readonly spread?: SpreadRule;
};

const STEPS = [
  { code: 'near', position: 1, sharedKind: 'rack' as const },
  { code: 'far', position: 2, sharedKind: undefined },
];
const RACK = { kind: 'rack' as const, parent: undefined, sharedProviders: [], distances: [] };
const RACKS: Topology = {
  ...NO_TOPOLOGY,
  groups: new Map([['r1', { ...RACK, id: 'r1' }]]),
  distanceTypes: new Map([['network', { code: 'network', steps: STEPS }]]),
};

const requestOf = ({ groups, count = 1 }: Wish): PlaceRequest => ({
  spec: { groups, count, ranking: 'pack' },
  window: { fromMs: 0, toMs: Infinity },
  seed: 'seed',
});

const refusalOf = (t: ExecutionContext, wish: Wish): Refusal => {
  const plan = place(stateWith(wish.providers).providers, requestOf(wish));
  if (plan.kind === 'refused') return plan.refusal;
  throw t.fail(plan.kind);
};

const suggestionsFor = (wish: Wish): readonly string[] =>
  atOnce(explain(stateWith(wish.providers).providers, requestOf(wish))).suggestions;

const machines = (prefix: string, many: number, tags: readonly string[]): ProviderWish[] =>
  Array.from({ length: many }, (_, n) => ({ uid: `${prefix}${n}`, offers: { [WHOLE]: 1 }, tags }));

const tagged = (resources: Readonly<Record<string, number>>) =>
  groupOf(resources, { tags: constraint({ require: ['t'] }) });

test('what stands in the way of several machines is what leaves enough when it is dropped', (t) => {
  const providers = [...machines('a', 2, ['t']), ...machines('b', 3, [])];
  const groups = [tagged({ [WHOLE]: 1 })];
  const enough = refusalOf(t, { providers, groups, count: 5 });
  t.deepEqual(enough.funnel.fitsWithout, ['tag t']);
  t.is(enough.together, 'count 5 together');
  t.deepEqual(refusalOf(t, { providers, groups, count: 6 }).funnel.fitsWithout, []);
});

test('of slices a provider counts as often as it has room for one', (t) => {
  const groups = [tagged({ [CPU]: 4 })];
  const tall = { uid: 'tall', offers: { [CPU]: 8 }, tags: ['t'] };
  const fits = [tall, { uid: 'small', offers: { [CPU]: 4 } }];
  t.deepEqual(refusalOf(t, { providers: fits, groups, count: 3 }).funnel.fitsWithout, [
    `${CPU} free`,
    'tag t',
  ]);
  const lacks = [tall, { uid: 'small', offers: { [CPU]: 3 } }];
  t.deepEqual(refusalOf(t, { providers: lacks, groups, count: 3 }).funnel.fitsWithout, [
    `${CPU} free`,
  ]);
});

test('the group without room for the count is told, also after one that has it', (t) => {
  const providers = [...machines('a', 3, ['t']), ...machines('b', 2, ['u'])];
  const other = groupOf({ [WHOLE]: 1 }, { name: 'b', tags: constraint({ require: ['u'] }) });
  const { funnel } = refusalOf(t, { providers, groups: [tagged({ [WHOLE]: 1 }), other], count: 3 });
  t.is(funnel.group, 'b');
  t.deepEqual(funnel.fitsWithout, ['tag u']);
});

test('only what was asked for is suggested to be left out, whatever its name', (t) => {
  const providers = [{ uid: 'p', offers: { 'acme.fpga': 2 } }];
  t.deepEqual(suggestionsFor({ providers, groups: [tagged({ 'acme.fpga': 1 })] }), [
    'without "tag t" in group "main"',
  ]);
  t.deepEqual(suggestionsFor({ providers, groups: [groupOf({ 'acme.fpga': 4 })] }), [
    '2 of acme.fpga instead of 4',
  ]);
  const closed = [{ uid: 'p', offers: { 'acme.fpga': 2 }, closed: true }];
  t.deepEqual(suggestionsFor({ providers: closed, groups: [groupOf({ 'acme.fpga': 1 })] }), []);
});

test('nothing is suggested to be left out of one group while another has no room either', (t) => {
  const providers = [{ uid: 'p', offers: { [CPU]: 2 } }];
  const groups = [
    tagged({ [CPU]: 1 }),
    groupOf({ [CPU]: 1 }, { name: 'b', tags: constraint({ require: ['u'] }) }),
  ];
  t.deepEqual(suggestionsFor({ providers, groups }), []);
});

test('a provider that was deleted is none of those of which a refusal tells', (t) => {
  const providers = machines('a', 3, []);
  const { providers: index } = stateWith(providers);
  // The leader's record of it stays until its claims have gone.
  index.setFacts('a1', undefined);
  const plan = place(index, requestOf({ providers, groups: [tagged({ [WHOLE]: 1 })] }));
  if (plan.kind !== 'refused') throw t.fail(plan.kind);
  t.is(plan.refusal.funnel.providers, 2);
  const tags = plan.refusal.funnel.steps.find(({ constraint: one }) => one === 'tag t');
  t.is(tags?.removed, 2);
  index.setFacts('a1', factsOf({ uid: 'a1', offers: { [WHOLE]: 1 } }));
  const { funnel } = refusalOf(t, { providers, groups: [tagged({ [WHOLE]: 1 })] });
  t.is(funnel.providers, 3);
});

/** What a request of these groups would fit without, and what is said to stand in its way. */
const relationsOf = (wish: Wish) => {
  const { providers: index } = stateWith(wish.providers);
  index.setTopology(RACKS);
  const asked = requestOf(wish);
  const spec = { ...asked.spec, ...(wish.spread !== undefined && { spread: wish.spread }) };
  const { fits, obstacle, suggestions, groups } = atOnce(explain(index, { ...asked, spec }));
  return { fits, obstacle, suggestions, fitsWithout: groups.map((one) => one.fitsWithout) };
};

test('what groups demand of each other is named, where it alone stands in the way', (t) => {
  const whole = { [WHOLE]: 1 };
  const ONE = { providers: [{ uid: 'p', offers: { [CPU]: 2 } }] };
  t.deepEqual(
    relationsOf({
      ...ONE,
      groups: [groupOf({ [CPU]: 1 }), groupOf({ [CPU]: 1 }, { name: 'b', isolateFrom: ['main'] })],
    }),
    {
      fits: false,
      obstacle: '"on other providers than main" in group "b"',
      suggestions: ['without "on other providers than main" in group "b"'],
      fitsWithout: [[], ['on other providers than main']],
    },
  );
  const trees = { providers: machines('p', 2, []) };
  t.deepEqual(
    relationsOf({
      ...trees,
      groups: [groupOf(whole), groupOf(whole, { name: 'b', sameSubtree: ['main'] })],
    }).fitsWithout,
    [[], ['in one tree with main']],
  );
  const apart = { type: 'network', from: { kind: 'request-group' as const, name: 'main' } };
  const racks = { providers: machines('p', 2, []).map((one) => ({ ...one, groups: ['r1'] })) };
  t.deepEqual(
    relationsOf({
      ...racks,
      groups: [
        groupOf(whole),
        groupOf(whole, { name: 'b', distances: [{ ...apart, minimum: 'far' }] }),
      ],
    }).fitsWithout,
    [[], ['distance network from request group main at least far']],
  );
  t.deepEqual(
    relationsOf({
      ...racks,
      groups: [groupOf(whole)],
      count: 2,
      spread: { groupKind: 'rack', maxPerGroup: 1 },
    }),
    {
      fits: false,
      obstacle: '"at most 1 in a group of kind rack"',
      suggestions: ['1 instead of 2', 'without "at most 1 in a group of kind rack"'],
      fitsWithout: [['at most 1 in a group of kind rack']],
    },
  );
});

test('what several providers lack together is named', (t) => {
  const providers = [
    { uid: 'p', offers: { [CPU]: 1 }, tags: ['t'] },
    { uid: 'q', offers: { [MEMORY]: 1 } },
  ];
  const both = { [CPU]: 1, [MEMORY]: 1 };
  const wanted = { multipleProviders: true, tags: constraint({ require: ['t', 'u'] }) };
  t.deepEqual(relationsOf({ providers, groups: [groupOf(both, wanted)] }).suggestions, [
    'without "tag u" in group "main"',
  ]);
});

test('what would still not fit is not suggested', (t) => {
  const providers = [{ uid: 'p', offers: { [CPU]: 2 } }];
  const groups = [
    groupOf({ [CPU]: 1 }),
    groupOf(
      { [CPU]: 1 },
      { name: 'b', isolateFrom: ['main'], tags: constraint({ require: ['t'] }) },
    ),
  ];
  t.deepEqual(relationsOf({ providers, groups }).suggestions, []);
});
