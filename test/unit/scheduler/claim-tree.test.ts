import test from 'ava';
import { choresOf } from '../../../services/scheduler/domain/chores.ts';
import { claimState, isUsing } from '../../../services/scheduler/domain/claim-state.ts';
import {
  createPartitionState,
  type PartitionState,
} from '../../../services/scheduler/domain/partition-state.ts';
import { freeOf, usageOf } from '../../../services/scheduler/domain/usage.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  factsOf,
  finishRelease,
  granted,
  groupOf,
  type ProviderWish,
  run,
  stateWith,
  WHOLE,
} from './builders.ts';

const METAL: ProviderWish = { uid: 'metal', offers: { [CPU]: 8, [WHOLE]: 1 } };
const PART: ProviderWish = { uid: 'part', offers: { [CPU]: 8 }, parentUid: 'metal' };
const TIMES = { warnBeforeMs: 0, atRiskAfterMs: 5, replaceBeforeMs: 0, againMs: 1_000 };

const machine = [groupOf({ [WHOLE]: 1 })];
const slice = [groupOf({ [CPU]: 2 }, { providers: ['part'] })];

const find = (state: PartitionState, id: string) => {
  const claim = state.claims.findByName('red', id);
  if (claim === undefined) throw new Error(`There is no claim ${id}`);
  return claim;
};
const stateOf = (state: PartitionState, id: string, nowMs: number) =>
  claimState(find(state, id), state.around, nowMs);
const used = (state: PartitionState, uid: string, nowMs: number) =>
  usageOf(uid, state.around, nowMs).map((one) => `${one.resourceType} ${one.used}`);

/** One claim until 10 and another from 10 on, in one tree. */
const withTwo = (first: typeof slice, second: typeof slice): PartitionState => {
  const state = stateWith([METAL, PART], { times: TIMES });
  granted(state, createCommand({ id: 'first', groups: first, acquireMs: 0, releaseMs: 10 }));
  granted(state, createCommand({ id: 'second', groups: second, acquireMs: 10, releaseMs: 90 }));
  return state;
};

const tick = (state: PartitionState, nowMs: number): readonly string[] => {
  const ends = state.overdue(nowMs, 1_000).map(({ uid }) => beginRelease(uid, ''));
  return [...ends, ...choresOf(state, nowMs, true)].flatMap((command) => {
    const decision = run(state, command, nowMs);
    return 'entry' in decision && decision.entry !== undefined ? [decision.entry.action] : [];
  });
};

const orders = [
  { title: 'a whole machine waits for a slice of its part', first: slice, second: machine },
  { title: 'a slice waits for the whole machine above it', first: machine, second: slice },
];
for (const { title, first, second } of orders) {
  const [from = '', to = ''] = first === slice ? ['part', 'metal'] : ['metal', 'part'];
  test(`${title} that should have been given back`, (t) => {
    const state = withTwo(first, second);
    t.is(stateOf(state, 'second', 9), 'pending');
    t.is(stateOf(state, 'second', 10), 'waiting');
    t.false(isUsing(find(state, 'second'), to, { around: state.around, nowMs: 10 }));
    t.true(used(state, to, 10).every((text) => text.endsWith(' 0')));
    t.deepEqual(tick(state, 10), ['claim.release']);
    t.is(stateOf(state, 'second', 12), 'waiting');
    run(state, finishRelease('first', from), 12);
    t.is(stateOf(state, 'second', 12), 'active');
    t.true(isUsing(find(state, 'second'), to, { around: state.around, nowMs: 12 }));
  });

  test(`${title}, is at risk after a while and cured as soon as it is free`, (t) => {
    const state = withTwo(first, second);
    t.deepEqual(tick(state, 10), ['claim.release']);
    t.deepEqual(tick(state, 15), ['claim.risk']);
    run(state, finishRelease('first', from), 16);
    t.deepEqual(tick(state, 16), ['claim.cure']);
  });

  test(`${title}, which a new leader sees too`, (t) => {
    const before = withTwo(first, second);
    tick(before, 10);
    const state = createPartitionState({
      partition: 'lab',
      claims: [...before.claims.all()],
      capacities: ['metal', 'part'].flatMap((uid) => before.capacity(uid) ?? []),
      facts: [METAL, PART].map(factsOf),
      nowMs: 15,
      times: TIMES,
    });
    t.deepEqual(tick(state, 15), ['claim.risk']);
  });
}

test('a machine of whose part somebody holds a slice is not free as a whole', (t) => {
  const state = stateWith([METAL, PART]);
  granted(state, createCommand({ id: 'a', groups: slice, acquireMs: 10, releaseMs: 20 }));
  const free = (uid: string, code: string, fromMs: number) =>
    freeOf(uid, state.around, { window: { fromMs, toMs: fromMs + 1 }, nowMs: 0 })(code);
  t.is(free('metal', WHOLE, 15), 0);
  t.is(free('metal', CPU, 15), 8);
  t.is(free('part', CPU, 15), 6);
  t.is(free('metal', WHOLE, 20), 1);
  granted(state, createCommand({ id: 'b', groups: machine, acquireMs: 30, releaseMs: 40 }));
  t.is(free('part', CPU, 35), 0);
  t.is(free('part', CPU, 40), 8);
});
