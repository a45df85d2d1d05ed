/**
 * Providers with trees, places, holds and tags, and requests of which each part depends on others:
 * cases for the model in place-model.ts and for the engine.
 */
import fc from 'fast-check';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import type { PlaceRequest } from '../../../services/scheduler/domain/place.ts';
import type { Placed } from '../../../services/scheduler/domain/plan.ts';
import {
  createProviderIndex,
  type ProviderIndex,
} from '../../../services/scheduler/domain/provider-index.ts';
import type { Distance, Topology } from '../../../services/scheduler/domain/topology.ts';
import { CPU, constraint, factsOf, groupOf, MEMORY, offersFrom, WHOLE } from './builders.ts';
import {
  above,
  type Item,
  type Model,
  type ModelProvider,
  type ModelRequest,
} from './place-model.ts';

const END = 8;
/** The model tries them all for every part. */
const PROVIDERS_MAX = 5;
const CAPABILITIES = ['x', 'y'];
const RACKS = ['rack1', 'rack2', 'rack3'];
const TAGS = ['t', 'u', 'v'];
const NAMES = ['one', 'two', 'three'];

const group = (
  id: string,
  kind: 'rack' | 'row',
  { parent, distances = [] }: { parent?: string; distances?: readonly Distance[] } = {},
) => [id, { id, kind, parent, sharedProviders: [], distances }] as const;

const topologyOf = (turnaround: number, distances: readonly Distance[]): Topology => ({
  groups: new Map([
    group('row1', 'row'),
    group('row2', 'row'),
    group('rack1', 'rack', { parent: 'row1', distances }),
    group('rack2', 'rack', { parent: 'row1' }),
    group('rack3', 'rack', { parent: 'row2' }),
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

const distanceCase: fc.Arbitrary<Distance> = fc.record({
  type: fc.constant('network'),
  group: fc.constantFrom('rack1', 'rack2', 'rack3', 'row2'),
  step: fc.constantFrom('same-rack', 'same-row'),
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
  tags: fc.subarray(TAGS),
  distances: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(distanceCase, { maxLength: 1 }),
  ),
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
        distances: one.distances,
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
  tags: fc.oneof({ weight: 3, arbitrary: fc.constant(constraint({})) }, sets(TAGS)),
  isolate: fc.oneof(fc.constant([]), fc.subarray(NAMES)),
  several: fc.boolean(),
  sameSubtree: fc.oneof(fc.constant([]), fc.subarray(NAMES)),
  /** So much less of everything would do. */
  spare: fc.constantFrom(0, 0, 1, 2),
  distance: fc.option(
    fc.record({
      from: fc.constantFrom('rack1', 'rack3', ...NAMES.map((name) => `@${name}`)),
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
    isolateFrom: [...one.isolate].filter((other: string) => names.includes(other)),
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
  const made = groupOf(one.resources as Record<string, number>, rest);
  return { ...made, resources: made.resources.map((each) => withLess(each, one.spare)) };
};

const withLess = (each: RequestGroup['resources'][number], spare: number) => {
  const minAmount = Math.max(1, each.amount - spare);
  return minAmount < each.amount ? { ...each, minAmount } : each;
};

/** Some are alike: chance alone makes few of these. */
const providersLike = (one: fc.Arbitrary<ProviderCase>) =>
  fc
    .tuple(fc.array(one, { minLength: 2, maxLength: 5 }), fc.array(fc.nat(), { maxLength: 3 }))
    .map(([some, twinsOf]) => {
      const twins = twinsOf.flatMap((at) => some[at % some.length] ?? []);
      return [...some, ...twins].slice(0, PROVIDERS_MAX);
    });

/** Three groups once, or fewer twice: the model tries everything. */
const wishesLike = (one: fc.Arbitrary<GroupCase>) =>
  fc.oneof(
    fc.record({
      groups: fc.array(one, { minLength: 1, maxLength: 3 }),
      count: fc.constant(1),
    }),
    fc.record({
      groups: fc.array(one, { minLength: 1, maxLength: 2 }),
      count: fc.constant(2),
    }),
  );

/** Hardly two of these differ in more than their tags, so that one stands in the other's way. */
const alikeProvider: fc.Arbitrary<ProviderCase> = fc.record({
  type: fc.constant('vm-host' as const),
  parentSeed: fc.constant(undefined),
  cpu: fc.constant(3),
  memory: fc.constantFrom(0, 2),
  isWhole: fc.constant(true),
  capabilities: fc.constant([]),
  rack: fc.constantFrom(...RACKS),
  tags: fc.subarray(TAGS),
  distances: fc.constant([]),
  hold: fc.constantFrom(undefined, undefined, {
    amounts: { [CPU]: 2 },
    fromMs: 0,
    length: Infinity,
  }),
});

const alikeGroup: fc.Arbitrary<GroupCase> = fc.record({
  resources: fc.constantFrom({ [WHOLE]: 1 }, { [CPU]: 3 }, { [CPU]: 2, [MEMORY]: 2 }),
  blocks: fc.constant([]),
  places: fc.constant(constraint({})),
  tags: fc.constantFrom(...TAGS).map((tag) => constraint({ require: [tag] })),
  isolate: fc.constant([]),
  several: fc.boolean(),
  sameSubtree: fc.constant([]),
  spare: fc.constantFrom(0, 2),
  distance: fc.constant(undefined),
  inTree: fc.constant(undefined),
});

export const cases = fc.record({
  placed: fc.oneof(
    fc.record({ providers: providersLike(providerCase), wish: wishesLike(groupCase) }),
    fc.record({ providers: providersLike(alikeProvider), wish: wishesLike(alikeGroup) }),
  ),
  turnaround: fc.integer({ min: 0, max: 2 }),
  /** Of rack1. */
  distances: fc.oneof(fc.constant([]), fc.array(distanceCase, { maxLength: 1 })),
  spreadMax: fc.constantFrom(0, 0, 1, 2),
  fromMs: fc.nat(END),
  length: fc.integer({ min: 1, max: 4 }),
  ranking: fc.constantFrom('pack' as const, 'spread' as const, 'closest' as const),
  seed: fc.string(),
});

export type Case = Of<typeof cases>;

export const indexOf = ({ providers, topology }: Model): ProviderIndex => {
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
      ...(one.distances.length > 0 && { distances: one.distances }),
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

export const itemsOf = (
  model: Model,
  groups: readonly RequestGroup[],
  plan: Placed,
): readonly Item[] =>
  plan.placements.flatMap((placement): Item[] => {
    const one = groups[placement.group];
    const uid = plan.providers[placement.provider]?.uid;
    const provider = model.providers.findIndex((each) => each.uid === uid);
    if (one === undefined) return [];
    const resources = placement.resources ?? [...one.resources.keys()];
    const amounts = placement.amounts ?? resources.map((at) => one.resources[at]?.amount ?? 0);
    return [{ group: one, index: placement.index, resources, provider, amounts }];
  });

export const prepared = (one: Case) => {
  const topology = topologyOf(one.turnaround, one.distances);
  const model: Model = {
    providers: providersOf(one.placed.providers, topology),
    topology,
    whole: WHOLE,
  };
  const { count } = one.placed.wish;
  const names = NAMES.slice(0, one.placed.wish.groups.length);
  const groups = one.placed.wish.groups.map((each, at) => groupFrom(names[at] ?? '', each, names));
  const wanted: ModelRequest = {
    groups,
    count,
    spreadMax: one.spreadMax,
    fromMs: one.fromMs,
    toMs: one.fromMs + one.length,
  };
  const request: PlaceRequest = {
    spec: {
      groups,
      count,
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
