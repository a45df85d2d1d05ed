/**
 * Requests with trees, places, distances, several providers and spreading, against a model that
 * tries everything.
 */
import test from 'ava';
import fc from 'fast-check';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import { findWindows } from '../../../services/scheduler/domain/find-windows.ts';
import { judge } from '../../../services/scheduler/domain/judge.ts';
import { type PlaceRequest, place } from '../../../services/scheduler/domain/place.ts';
import type { Placed } from '../../../services/scheduler/domain/plan.ts';
import {
  createProviderIndex,
  type ProviderIndex,
} from '../../../services/scheduler/domain/provider-index.ts';
import type { Topology } from '../../../services/scheduler/domain/topology.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { CPU, constraint, factsOf, groupOf, MEMORY, offersFrom, WHOLE } from './builders.ts';
import {
  above,
  type Item,
  isValid,
  type Model,
  type ModelProvider,
  type ModelRequest,
  someAssignment,
} from './place-model.ts';

const END = 8;
/** Everything that ends has, and is clean. */
const LATEST = 16;
/** The model tries them all for every part. */
const PROVIDERS_MAX = 5;
const CAPABILITIES = ['x', 'y'];
const RACKS = ['rack1', 'rack2', 'rack3'];

const group = (id: string, kind: 'rack' | 'row', parent?: string) =>
  [id, { id, kind, parent, sharedProviders: [], distances: [] }] as const;

const topologyOf = (turnaround: number): Topology => ({
  groups: new Map([
    group('row1', 'row'),
    group('row2', 'row'),
    group('rack1', 'rack', 'row1'),
    group('rack2', 'rack', 'row1'),
    group('rack3', 'rack', 'row2'),
  ]),
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
  turnaroundMs: new Map(turnaround > 0 ? [['bare-metal', turnaround]] : []),
  schedulable: new Set(),
});

const holdCase = fc.record({
  amounts: fc.oneof(
    fc.constant({ [CPU]: 2 }),
    fc.constant({ [MEMORY]: 1 }),
    fc.constant({ [WHOLE]: 1 }),
  ),
  fromMs: fc.nat(END),
  length: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(Infinity)),
});

const providerCase = fc.record({
  type: fc.constantFrom('bare-metal', 'vm-host'),
  parentSeed: fc.option(fc.nat(), { nil: undefined, freq: 2 }),
  cpu: fc.integer({ min: 0, max: 4 }),
  memory: fc.integer({ min: 0, max: 3 }),
  isWhole: fc.boolean(),
  capabilities: fc.subarray(CAPABILITIES),
  rack: fc.option(fc.constantFrom(...RACKS), { nil: undefined }),
  tags: fc.subarray(['t']),
  hold: fc.option(holdCase, { nil: undefined, freq: 2 }),
});

type Of<T> = T extends fc.Arbitrary<infer Value> ? Value : never;
type ProviderCase = Of<typeof providerCase>;

/** What is held already must be possible: no whole of a tree in which something else is held. */
const possible = (
  providers: readonly ModelProvider[],
  topology: Topology,
): readonly ModelProvider[] => {
  const kept: ModelProvider[] = [];
  for (const [at, one] of providers.entries()) {
    const model = { providers, topology, whole: WHOLE };
    const others = above(model, at).flatMap((n) => kept[n]?.holds ?? []);
    const isWhole = ({ amounts }: ModelProvider['holds'][number]) => WHOLE in amounts;
    kept.push(others.some(isWhole) ? { ...one, holds: [] } : one);
  }
  return kept;
};

const providersOf = (
  cases: readonly ProviderCase[],
  topology: Topology,
): readonly ModelProvider[] =>
  possible(
    cases.map((one, at) => {
      const { parentSeed, hold } = one;
      const usable: Record<string, number> = {
        ...(one.cpu > 0 && { [CPU]: one.cpu }),
        ...(one.memory > 0 && { [MEMORY]: one.memory }),
        ...(one.isWhole && { [WHOLE]: 1 }),
      };
      const fits =
        hold !== undefined &&
        Object.entries(hold.amounts).every(([type, amount]) => amount <= (usable[type] ?? 0));
      return {
        uid: `p${at}`,
        type: one.type,
        parent: parentSeed === undefined || at === 0 ? undefined : parentSeed % at,
        usable,
        capabilities: one.capabilities,
        groups: one.rack === undefined ? [] : [one.rack],
        tags: one.tags,
        holds: fits && hold ? [{ ...hold, toMs: hold.fromMs + hold.length }] : [],
      };
    }),
    topology,
  );

const sets = (values: readonly string[]) =>
  fc.record({
    require: fc.subarray([...values], { maxLength: 1 }),
    forbid: fc.subarray([...values], { maxLength: 1 }),
    any: fc.subarray([...values]),
  });

const groupCase = fc.record({
  resources: fc.constantFrom(
    { [CPU]: 1 },
    { [CPU]: 2, [MEMORY]: 1 },
    { [WHOLE]: 1 },
    { [MEMORY]: 2 },
  ),
  blocks: fc.oneof(fc.constant([]), fc.array(sets(CAPABILITIES), { minLength: 1, maxLength: 2 })),
  places: fc.oneof(
    { weight: 3, arbitrary: fc.constant(constraint({})) },
    sets(['rack1', 'row1', 'rack3']),
  ),
  tags: fc.oneof({ weight: 4, arbitrary: fc.constant(constraint({})) }, sets(['t'])),
  isolate: fc.subarray(['one', 'two']),
  several: fc.boolean(),
  sameSubtree: fc.oneof(fc.constant([]), fc.subarray(['one', 'two'])),
  distance: fc.option(
    fc.record({
      from: fc.constantFrom('rack1', 'rack3', '@one', '@two'),
      minimum: fc.constantFrom(undefined, 'same-rack', 'same-row'),
      maximum: fc.constantFrom(undefined, 'same-rack', 'same-row'),
    }),
    { nil: undefined, freq: 2 },
  ),
  inTree: fc.option(fc.constantFrom('p0', 'p1'), { nil: undefined, freq: 1 }),
});

type GroupCase = Of<typeof groupCase>;

const groupFrom = (name: string, one: GroupCase, names: readonly string[]) => {
  const { distance } = one;
  const from = distance?.from.startsWith('@')
    ? ({ kind: 'request-group', name: distance.from.slice(1) } as const)
    : ({ kind: 'provider-group', id: distance?.from ?? '' } as const);
  const isKnown = from.kind === 'provider-group' || names.includes(from.name);
  const rest: Partial<RequestGroup> = {
    name,
    capabilities: one.blocks,
    providerGroups: one.places,
    tags: one.tags,
    isolateFrom: one.isolate.filter((other: string) => names.includes(other)),
    ...(one.several && { multipleProviders: true }),
    sameSubtree: [...one.sameSubtree].filter((other) => names.includes(other)),
    ...(one.inTree !== undefined && { inTree: one.inTree }),
    ...(distance !== undefined &&
      isKnown && {
        distances: [
          {
            type: 'network',
            from,
            ...(distance.minimum !== undefined && { minimum: distance.minimum }),
            ...(distance.maximum !== undefined && { maximum: distance.maximum }),
          },
        ],
      }),
  };
  return groupOf(one.resources as Record<string, number>, rest);
};

/** Some are alike: chance alone makes few of these. */
const providerCases = fc
  .tuple(
    fc.array(providerCase, { minLength: 2, maxLength: 5 }),
    fc.array(fc.nat(), { maxLength: 3 }),
  )
  .map(([some, twinsOf]) => {
    const twins = twinsOf.flatMap((at) => some[at % some.length] ?? []);
    return [...some, ...twins].slice(0, PROVIDERS_MAX);
  });

const cases = fc.record({
  providers: providerCases,
  turnaround: fc.integer({ min: 0, max: 2 }),
  groups: fc.array(groupCase, { minLength: 1, maxLength: 2 }),
  count: fc.integer({ min: 1, max: 2 }),
  spreadMax: fc.constantFrom(0, 0, 0, 1, 2),
  fromMs: fc.nat(END),
  length: fc.integer({ min: 1, max: 4 }),
  ranking: fc.constantFrom('pack' as const, 'spread' as const, 'closest' as const),
  seed: fc.string(),
});

type Case = Of<typeof cases>;

const indexOf = ({ providers, topology }: Model): ProviderIndex => {
  const index = createProviderIndex();
  index.setTopology(topology);
  // Parts before their wholes: either may be known first.
  for (const one of providers.toReversed()) {
    const parent = one.parent === undefined ? undefined : providers[one.parent]?.uid;
    index.setFacts(one.uid, {
      ...factsOf({
        uid: one.uid,
        offers: one.usable,
        capabilities: one.capabilities,
        groups: one.groups,
        tags: one.tags,
      }),
      type: one.type,
      ...(parent !== undefined && { parentUid: parent }),
    });
    index.setCapacity(one.uid, {
      providerUid: one.uid,
      generation: 1,
      offers: offersFrom(one.usable),
      closed: false,
      version: 1,
      updateMs: 0,
    });
  }
  for (const { uid, holds } of providers) {
    for (const [at, { amounts, fromMs, toMs }] of holds.entries()) {
      const hold = {
        amounts: new Map(Object.entries(amounts)),
        fromMs,
        toMs,
        later: true,
      } as const;
      index.setHold(uid, `held-${uid}-${at}`, { ...hold, claimUid: `held-${uid}-${at}` });
    }
  }
  return index;
};

const itemsOf = (model: Model, groups: readonly RequestGroup[], plan: Placed): readonly Item[] =>
  plan.placements.flatMap((placement): Item[] => {
    const one = groups[placement.group];
    const uid = plan.providers[placement.provider]?.uid;
    const provider = model.providers.findIndex((each) => each.uid === uid);
    if (one === undefined) return [];
    const resources = placement.resources ?? [...one.resources.keys()];
    return [{ group: one, index: placement.index, resources, provider }];
  });

const prepared = (one: Case) => {
  const topology = topologyOf(one.turnaround);
  const model: Model = {
    providers: providersOf(one.providers, topology),
    topology,
    whole: WHOLE,
  };
  const names = ['one', 'two'].slice(0, one.groups.length);
  const groups = one.groups.map((each, at) => groupFrom(names[at] ?? '', each, names));
  const wanted: ModelRequest = {
    groups,
    count: one.count,
    spreadMax: one.spreadMax,
    fromMs: one.fromMs,
    toMs: one.fromMs + one.length,
  };
  const request: PlaceRequest = {
    spec: {
      groups,
      count: one.count,
      ranking: one.ranking,
      ...(one.ranking === 'closest' && { rankingDistanceType: 'network' }),
      ...(one.spreadMax > 0 && {
        spread: { groupKind: 'rack' as const, maxPerGroup: one.spreadMax },
      }),
    },
    window: { fromMs: wanted.fromMs, toMs: wanted.toMs },
    seed: one.seed,
  };
  return { model, groups, wanted, request };
};

test('a plan with relations is found exactly when one exists, and keeps them all', (t) => {
  let placed = 0;
  fc.assert(
    fc.property(cases, (one) => {
      const { model, groups, wanted, request } = prepared(one);
      const index = indexOf(model);
      const plan = place(index, request);
      const exists = someAssignment(model, wanted);
      t.is(plan.kind, exists ? 'placed' : 'refused');
      if (plan.kind !== 'placed') return;
      placed += 1;
      t.true(isValid(model, wanted, itemsOf(model, groups, plan)));
      t.deepEqual(judge(index, request, plan), []);
      t.deepEqual(place(indexOf(model), request), plan, 'the same state gives the same plan');
    }),
    { numRuns: propertyRuns(250) },
  );
  t.true(placed > 10, `${placed} cases placed something`);
});

test('windows are found exactly where the request would fit', (t) => {
  let found = 0;
  fc.assert(
    fc.property(cases, (one) => {
      const { model, wanted, request } = prepared(one);
      const windows = findWindows(indexOf(model), request, {
        durationMs: one.length,
        earliestMs: 0,
        latestMs: LATEST,
        limit: 100,
      });
      for (let beginMs = 0; beginMs <= LATEST - one.length; beginMs += 1) {
        const at = { ...wanted, fromMs: beginMs, toMs: beginMs + one.length };
        const isFound = windows.some(
          (window) => window.beginMs <= beginMs && beginMs <= window.latestBeginMs,
        );
        t.is(isFound, someAssignment(model, at), `begin ${beginMs}`);
        if (isFound) found += 1;
      }
    }),
    { numRuns: propertyRuns(30) },
  );
  t.true(found > 10);
});

test('a proposal is judged as the model judges it', (t) => {
  fc.assert(
    fc.property(cases, fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), (one, picks) => {
      const { model, groups, wanted, request } = prepared(one);
      const placements = [];
      let at = 0;
      for (let index = 0; index < one.count; index += 1) {
        for (const [group, each] of groups.entries()) {
          const parts = each.multipleProviders === true ? [...each.resources.keys()] : [undefined];
          for (const part of parts) {
            const provider = (picks[at % picks.length] ?? 0) % model.providers.length;
            placements.push({
              group,
              index,
              provider,
              ...(part !== undefined && { resources: [part] }),
            });
            at += 1;
          }
        }
      }
      const providers = model.providers.map(({ uid }) => ({ uid, name: uid }));
      const proposal = { kind: 'placed', providers, placements } as const;
      const problems = judge(indexOf(model), request, proposal);
      t.is(problems.length === 0, isValid(model, wanted, itemsOf(model, groups, proposal)));
    }),
    { numRuns: propertyRuns(250) },
  );
});
