/** What a refusal says stands in the way, and what is suggested instead. */
import test, { type ExecutionContext } from 'ava';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import { explain } from '../../../services/scheduler/domain/explain.ts';
import { type PlaceRequest, place } from '../../../services/scheduler/domain/place.ts';
import type { Refusal } from '../../../services/scheduler/domain/plan.ts';
import {
  atOnce,
  CPU,
  constraint,
  factsOf,
  groupOf,
  type ProviderWish,
  stateWith,
  WHOLE,
} from './builders.ts';

type Wish = {
  readonly providers: readonly ProviderWish[];
  readonly groups: readonly RequestGroup[];
  readonly count?: number;
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
