/**
 * A model of placement that tries every assignment and counts every instant, written from the rules
 * and not from the code: whatever it finds the engine must find, and what the engine finds it must
 * accept.
 */
import type {
  DistanceConstraint,
  RequestGroup,
  SetConstraint,
} from '../../../services/scheduler/domain/claim.ts';
import type { Distance, Topology } from '../../../services/scheduler/domain/topology.ts';

export type ModelHold = {
  readonly amounts: Readonly<Record<string, number>>;
  readonly fromMs: number;
  readonly toMs: number;
};

export type ModelProvider = {
  readonly uid: string;
  readonly type: string;
  readonly parent: number | undefined;
  readonly usable: Readonly<Record<string, number>>;
  readonly capabilities: readonly string[];
  readonly groups: readonly string[];
  readonly tags: readonly string[];
  /** Of its own from groups. */
  readonly distances: readonly Distance[];
  readonly holds: readonly ModelHold[];
};

export type ModelRequest = {
  readonly groups: readonly RequestGroup[];
  readonly count: number;
  readonly spreadMax: number;
  readonly fromMs: number;
  readonly toMs: number;
};

export type Model = {
  readonly providers: readonly ModelProvider[];
  readonly topology: Topology;
  readonly whole: string;
};

/** One resource (or all of a group's) on one provider. */
export type Item = {
  readonly group: RequestGroup;
  readonly index: number;
  readonly resources: readonly number[];
  readonly provider: number;
  /** What is given of each resource; absent = the least that is asked for. */
  readonly amounts?: readonly number[];
};

export const itemsWanted = ({ groups, count }: ModelRequest): readonly Omit<Item, 'provider'>[] =>
  Array.from({ length: count }, (_, index) => index).flatMap((index) =>
    groups.flatMap((group) =>
      group.multipleProviders === true
        ? group.resources.map((_, at) => ({ group, index, resources: [at] }))
        : [{ group, index, resources: [...group.resources.keys()] }],
    ),
  );

export const someAssignment = (model: Model, request: ModelRequest): boolean => {
  const wanted = itemsWanted(request);
  const attempt = (items: readonly Item[]): boolean => {
    const next = wanted[items.length];
    if (next === undefined) return isValid(model, request, items);
    return model.providers.some((_, provider) => {
      const more = [...items, { ...next, provider }];
      return fitsNow(model, request, more) && attempt(more);
    });
  };
  return attempt([]);
};

export const isValid = (model: Model, request: ModelRequest, items: readonly Item[]): boolean =>
  items.every(isAskedFor) &&
  fitsNow(model, request, items) &&
  request.groups.every((group) => groupHolds(model, request, { group, items })) &&
  isSpread(model, request, items);

/** Nothing is given beyond what is wanted, nor less than will do. */
const isAskedFor = ({ group, resources, amounts }: Item): boolean =>
  resources.every((at, n) => {
    const one = group.resources[at];
    const given = amounts === undefined ? leastOf(one) : (amounts[n] ?? NaN);
    return given >= leastOf(one) && given <= (one?.amount ?? NaN);
  });

type Resource = RequestGroup['resources'][number];

const leastOf = (one: Resource | undefined): number => one?.minAmount ?? one?.amount ?? NaN;

/** Capacity at every instant, whole and its cleaning against everything in the tree, isolation. */
const fitsNow = (model: Model, request: ModelRequest, items: readonly Item[]): boolean => {
  for (const a of items) {
    for (const b of items) {
      if (a === b || a.provider !== b.provider) continue;
      const isSamePlacement = a.group === b.group && a.index === b.index;
      const apart =
        a.group.isolateFrom.includes(b.group.name) || b.group.isolateFrom.includes(a.group.name);
      if (apart && !(isSamePlacement && a.group !== b.group)) return false;
    }
  }
  const cleaningMs = (item: Item) =>
    isWholeItem(model, item) ? cleaning(model, item.provider) : 0;
  const endMs = request.toMs + Math.max(0, ...items.map(cleaningMs));
  for (let now = request.fromMs; now < endMs; now += 1) {
    const there = items.filter((item) => now < request.toMs + cleaningMs(item));
    if (!fitsAt(model, now, there)) return false;
  }
  return true;
};

/** Time for cleaning after the provider was held whole. */
const cleaning = ({ providers, topology }: Model, provider: number): number =>
  topology.turnaroundMs.get(providers[provider]?.type ?? '') ?? 0;

const isWholeItem = ({ whole }: Model, item: Item): boolean => (amountsOf(item)[whole] ?? 0) > 0;

const fitsAt = (model: Model, now: number, items: readonly Item[]): boolean => {
  const uses = model.providers.map(({ holds }, provider) => [
    ...holds
      .filter(({ amounts, fromMs, toMs }) => {
        const cleaningMs = (amounts[model.whole] ?? 0) > 0 ? cleaning(model, provider) : 0;
        return fromMs <= now && now < toMs + cleaningMs;
      })
      .map(({ amounts }) => amounts),
    ...items.filter((item) => item.provider === provider).map(amountsOf),
  ]);
  const mine = new Set(items.map(({ provider }) => provider));
  return model.providers.every(({ usable }, provider) => {
    const here = uses[provider] ?? [];
    const isWhole = here.some((amounts) => (amounts[model.whole] ?? 0) > 0);
    const relatives = [...above(model, provider), ...below(model, provider)];
    const concerns = mine.has(provider) || relatives.some((one) => mine.has(one));
    if (!concerns) return true;
    if (isWhole) {
      if (here.length > 1 || (usable[model.whole] ?? 0) < 1) return false;
      if (below(model, provider).some((part) => (uses[part] ?? []).length > 0)) return false;
    }
    if (!mine.has(provider)) return true;
    return Object.keys(Object.assign({}, ...here)).every((type) => {
      const wanted = items.some(
        (item) => item.provider === provider && (amountsOf(item)[type] ?? 0) > 0,
      );
      const sum = here.reduce((total, amounts) => total + (amounts[type] ?? 0), 0);
      return !wanted || sum <= (usable[type] ?? 0);
    });
  });
};

/** Asked for at every instant of every assignment that is tried. */
const known = {
  amounts: new WeakMap<Item, Readonly<Record<string, number>>>(),
  relatives: new WeakMap<Model['providers'], readonly Relatives[]>(),
};

const amountsOf = (item: Item): Readonly<Record<string, number>> => {
  const found = known.amounts.get(item);
  if (found !== undefined) return found;
  const { group, resources, amounts } = item;
  const counted = Object.fromEntries(
    resources.flatMap((at, n) => {
      const one = group.resources[at];
      if (one === undefined) return [];
      return [[one.resourceType, amounts?.[n] ?? leastOf(one)] as const];
    }),
  );
  known.amounts.set(item, counted);
  return counted;
};

/** Of one provider: the nearest first. */
type Relatives = { readonly above: readonly number[]; readonly below: readonly number[] };

const relativesOf = ({ providers }: Model, provider: number): Relatives => {
  const found = known.relatives.get(providers) ?? relativesIn(providers);
  known.relatives.set(providers, found);
  return found[provider] ?? { above: [], below: [] };
};

const relativesIn = (providers: Model['providers']): readonly Relatives[] => {
  const over = (provider: number): readonly number[] => {
    const parent = providers[provider]?.parent;
    return parent === undefined ? [] : [parent, ...over(parent)];
  };
  return providers.map((_, provider) => ({
    above: over(provider),
    below: providers.flatMap((_, one) => (over(one).includes(provider) ? [one] : [])),
  }));
};

export const above = (model: Model, provider: number): readonly number[] =>
  relativesOf(model, provider).above;

export const below = (model: Model, provider: number): readonly number[] =>
  relativesOf(model, provider).below;

const rootOf = (model: Model, provider: number): number =>
  above(model, provider).at(-1) ?? provider;

/** Groups of a provider: its own, those above them, and those of what it is a part of. */
export const placesOf = (model: Model, provider: number): ReadonlySet<string> => {
  const own = [provider, ...above(model, provider)].flatMap(
    (one) => model.providers[one]?.groups ?? [],
  );
  const all = new Set<string>();
  for (const id of own) {
    for (let at: string | undefined = id; at !== undefined; ) {
      all.add(at);
      at = model.topology.groups.get(at)?.parent;
    }
  }
  return all;
};

type GroupItems = { readonly group: RequestGroup; readonly items: readonly Item[] };

const groupHolds = (model: Model, request: ModelRequest, { group, items }: GroupItems): boolean => {
  for (let index = 0; index < request.count; index += 1) {
    const those = items.filter((item) => item.group === group && item.index === index);
    const providers = [...new Set(those.map(({ provider }) => provider))];
    const all = (of: (provider: number) => Iterable<string>) =>
      new Set(providers.flatMap((one) => [...of(one)]));
    const capabilities = all((one) => model.providers[one]?.capabilities ?? []);
    const { capabilities: blocks } = group;
    if (blocks.length > 0 && !blocks.some((block) => holds(capabilities, block))) return false;
    if (
      !holds(
        all((one) => placesOf(model, one)),
        group.providerGroups,
      )
    )
      return false;
    if (
      !holds(
        all((one) => model.providers[one]?.tags ?? []),
        group.tags,
      )
    )
      return false;
    if (group.inTree !== undefined) {
      const top = model.providers.findIndex(({ uid }) => uid === group.inTree);
      const inside = [top, ...below(model, top)];
      if (!providers.every((one) => inside.includes(one))) return false;
    }
    if (!treesHold(model, { group, items: items.filter((item) => item.index === index) })) {
      return false;
    }
    const distances = group.distances ?? [];
    if (!distances.every((one) => isNear(model, one, { index, providers, items, group }))) {
      return false;
    }
  }
  return true;
};

const holds = (held: ReadonlySet<string>, wanted: SetConstraint): boolean =>
  wanted.require.every((code) => held.has(code)) &&
  !wanted.forbid.some((code) => held.has(code)) &&
  (wanted.any.length === 0 || wanted.any.some((code) => held.has(code)));

const treesHold = (model: Model, { group, items }: GroupItems): boolean => {
  const own = items.filter((item) => item.group === group);
  return (group.sameSubtree ?? []).every((name) =>
    items
      .filter((item) => item.group.name === name)
      .every((other) =>
        own.every((one) => rootOf(model, one.provider) === rootOf(model, other.provider)),
      ),
  );
};

type Around = {
  readonly index: number;
  readonly providers: readonly number[];
  readonly items: readonly Item[];
  readonly group: RequestGroup;
};

const isNear = (model: Model, wanted: DistanceConstraint, around: Around): boolean => {
  const { from, type, minimum, maximum } = wanted;
  const steps = model.topology.distanceTypes.get(type)?.steps ?? [];
  const position = (code: string) => steps.find((step) => step.code === code)?.position ?? NaN;
  const least = minimum === undefined ? 0 : position(minimum);
  const most = maximum === undefined ? Infinity : position(maximum);
  const isWithin = (distance: number) => distance >= least && distance <= most;
  return around.providers.every((provider) => {
    if (from.kind === 'provider-group') {
      return isWithin(toGroup(model, { type, provider, id: from.id }));
    }
    if (from.kind !== 'request-group') return true;
    return around.items
      .filter(({ group, index }) => {
        if (group.name !== from.name) return false;
        return group === around.group ? index !== around.index : index === around.index;
      })
      .every((other) => isWithin(between(model, type, [provider, other.provider])));
  });
};

const kindsIn = (model: Model, places: ReadonlySet<string>, kind: string | undefined) =>
  [...places].filter((id) => kind !== undefined && model.topology.groups.get(id)?.kind === kind);

const toGroup = (
  model: Model,
  { type, provider, id }: { type: string; provider: number; id: string },
): number => {
  const places = placesOf(model, provider);
  const its = new Set([id]);
  for (let at = model.topology.groups.get(id)?.parent; at !== undefined; ) {
    its.add(at);
    at = model.topology.groups.get(at)?.parent;
  }
  const shared = steps(model, type).flatMap(({ position, sharedKind }) =>
    kindsIn(model, its, sharedKind).some((one) => places.has(one)) ? [position] : [],
  );
  const told = [
    ...toldOf(model, provider, type).filter(({ group }) => group === id),
    ...toldBetween(model, type).flatMap(({ from, group, step }) => {
      const meets = (a: string, b: string) => (a === id && places.has(b) ? [{ group, step }] : []);
      return [...meets(from, group), ...meets(group, from)];
    }),
  ];
  return Math.min(places.has(id) ? 0 : Infinity, ...shared, ...positionsOf(model, type, told));
};

const steps = ({ topology }: Model, type: string) => topology.distanceTypes.get(type)?.steps ?? [];

type Told = Pick<Distance, 'group' | 'step'>;

/** What a provider tells of its distance from groups. */
const toldOf = (model: Model, provider: number, type: string): readonly Told[] =>
  (model.providers[provider]?.distances ?? []).filter((one) => one.type === type);

/** What groups tell of each other. */
const toldBetween = ({ topology }: Model, type: string) =>
  [...topology.groups.values()].flatMap(({ id, distances }) =>
    distances.filter((one) => one.type === type).map((one) => ({ ...one, from: id })),
  );

const positionsOf = (model: Model, type: string, told: readonly Told[]): readonly number[] =>
  told.flatMap(({ step }) => {
    const known = steps(model, type).find(({ code }) => code === step);
    return known === undefined ? [] : [known.position];
  });

const between = (model: Model, type: string, [a, b]: readonly [number, number]): number => {
  if (a === b) return 0;
  const [placesOfA, placesOfB] = [placesOf(model, a), placesOf(model, b)];
  const shared = steps(model, type).flatMap(({ position, sharedKind }) =>
    kindsIn(model, placesOfA, sharedKind).some((id) => placesOfB.has(id)) ? [position] : [],
  );
  const told = [
    ...toldOf(model, a, type).filter(({ group }) => placesOfB.has(group)),
    ...toldOf(model, b, type).filter(({ group }) => placesOfA.has(group)),
    ...toldBetween(model, type).filter(
      ({ from, group }) =>
        (placesOfA.has(from) && placesOfB.has(group)) ||
        (placesOfB.has(from) && placesOfA.has(group)),
    ),
  ];
  return Math.min(Infinity, ...shared, ...positionsOf(model, type, told));
};

const isSpread = (model: Model, request: ModelRequest, items: readonly Item[]): boolean => {
  if (request.spreadMax === 0) return true;
  const racks = (provider: number) => kindsIn(model, placesOf(model, provider), 'rack');
  if (items.some(({ provider }) => racks(provider).length === 0)) return false;
  const ids = new Set(items.flatMap(({ provider }) => racks(provider)));
  return [...ids].every((id) => {
    const there = items.filter(({ provider }) => racks(provider).includes(id));
    return new Set(there.map(({ index }) => index)).size <= request.spreadMax;
  });
};
