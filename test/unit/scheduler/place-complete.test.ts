/**
 * What fits is found whatever the order of the search: requests that have few answers, each with
 * forty seeds.
 */
import test, { type ExecutionContext } from 'ava';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import { type PlaceRequest, place } from '../../../services/scheduler/domain/place.ts';
import type { Placed } from '../../../services/scheduler/domain/plan.ts';
import type { ProviderIndex } from '../../../services/scheduler/domain/provider-index.ts';
import type { GroupKind, Topology } from '../../../services/scheduler/domain/topology.ts';
import { CPU, constraint, groupOf, MEMORY, stateWith, WHOLE } from './builders.ts';

const SEEDS = Array.from({ length: 40 }, (_, at) => `seed-${at}`);

type Wish = Partial<PlaceRequest['spec']> & Pick<PlaceRequest['spec'], 'groups'>;

/** The plans of all seeds; a seed that finds none fails the test. */
const plansOf = (t: ExecutionContext, index: ProviderIndex, wish: Wish): readonly Placed[] =>
  SEEDS.flatMap((seed) => {
    const spec = { count: 1, ranking: 'pack' as const, ...wish };
    const plan = place(index, { spec, window: { fromMs: 0, toMs: 10 }, seed });
    t.is(plan.kind, 'placed', seed);
    return plan.kind === 'placed' ? [plan] : [];
  });

/** Which provider each group got. */
const providersOf = ({ placements, providers }: Placed, groups: readonly RequestGroup[]) =>
  placements.map(({ group, provider }) => [groups[group]?.name, providers[provider]?.uid]);

const rack = (id: string) => {
  const kind: GroupKind = 'rack';
  return [id, { id, kind, parent: undefined, sharedProviders: [], distances: [] }] as const;
};

const racks = (...ids: readonly string[]): Topology => ({
  groups: new Map(ids.map(rack)),
  distanceTypes: new Map(),
  turnaroundMs: new Map(),
  schedulable: new Set(),
});

/** A whole machine with the tag. */
const tagged = (name: string): RequestGroup =>
  groupOf({ [WHOLE]: 1 }, { name, tags: constraint({ require: [name] }) });

const machine = (uid: string, groups: readonly string[], tags: readonly string[]) => ({
  uid,
  offers: { [WHOLE]: 1 },
  groups,
  tags,
});

test('less than the whole amount is found where something is held without end', (t) => {
  const { providers } = stateWith([{ uid: 'p', offers: { [CPU]: 10 } }]);
  const hold = { claimUid: 'held', amounts: new Map([[CPU, 6]]), fromMs: 0, toMs: Infinity };
  providers.setHold('p', 'held', hold);
  const resources = [{ resourceType: CPU, amount: 8, minAmount: 2 }];
  for (const { placements } of plansOf(t, providers, { groups: [{ ...groupOf({}), resources }] })) {
    t.deepEqual(placements, [{ group: 0, index: 0, provider: 0, amounts: [4] }]);
  }
});

test('what fails on a machine is tried on one alike that other groups do not want', (t) => {
  const { providers } = stateWith([
    machine('p', ['r1'], ['a', 'b']),
    machine('p2', ['r1'], ['a']),
    machine('s', ['r1'], ['b', 'c']),
  ]);
  providers.setTopology(racks('r1'));
  const groups = ['a', 'b', 'c'].map(tagged);
  for (const plan of plansOf(t, providers, { groups })) {
    t.deepEqual(providersOf(plan, groups), [
      ['a', 'p2'],
      ['b', 'p'],
      ['c', 's'],
    ]);
  }
});

test('what several must have together is found on either of two alike', (t) => {
  const { providers } = stateWith([
    { uid: 'p', offers: { [CPU]: 4 }, groups: ['r1'] },
    { uid: 'p2', offers: { [CPU]: 4 }, groups: ['r1'], tags: ['t'] },
    { uid: 'm', offers: { [MEMORY]: 4 }, groups: ['r1'] },
  ]);
  providers.setTopology(racks('r1'));
  const together = { multipleProviders: true, tags: constraint({ require: ['t'] }) };
  const groups = [groupOf({ [CPU]: 1, [MEMORY]: 1 }, together)];
  for (const plan of plansOf(t, providers, { groups })) {
    t.deepEqual(plan.providers.map(({ uid }) => uid).toSorted(), ['m', 'p2']);
  }
});

test('groups that share racks of which each takes one index find who goes with whom', (t) => {
  const { providers } = stateWith([
    machine('a1', ['r1'], ['a']),
    machine('a2', ['r2'], ['a']),
    machine('q', ['r1'], ['b']),
    machine('p', ['r3'], ['b']),
  ]);
  providers.setTopology(racks('r1', 'r2', 'r3'));
  const spread = { groupKind: 'rack', maxPerGroup: 1 } as const;
  const groups = ['a', 'b'].map(tagged);
  for (const plan of plansOf(t, providers, { groups, count: 2, spread })) {
    const indexOf = (uid: string) =>
      plan.placements.find(({ provider }) => plan.providers[provider]?.uid === uid)?.index;
    t.is(indexOf('a1'), indexOf('q'), 'both are in one rack');
    t.is(indexOf('a2'), indexOf('p'));
  }
});
