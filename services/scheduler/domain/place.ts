/**
 * Finds providers for a request: compile the constraints, take the candidates best first, search
 * where placements depend on each other. Pure and synchronous; the same request on the same index
 * gives the same plan.
 */
import { type Budget, createBudget, isCutShort, isSpent, spendPart } from './budget.ts';
import { type Candidate, candidatesOf, judgeMember, type Wish } from './candidate.ts';
import { type ClaimSpec, isOverSeveral, type RequestGroup, type ResourceRequest } from './claim.ts';
import { closestAnchors, nearTiers } from './closest.ts';
import type { Asked } from './constraint.ts';
import { refusalOf } from './funnel.ts';
import type { Interval } from './hold.ts';
import type { NumberSet } from './number-set.ts';
import { placedOn, placedPlan } from './placed-plan.ts';
import type { Placed, Plan } from './plan.ts';
import type { ProviderIndex } from './provider-index.ts';
import { createRelations, isRelated } from './relations.ts';
import { type Found, search } from './search.ts';
import type { Selection } from './selection.ts';
import { selectionOf } from './selections.ts';
import { shuffleKey } from './shuffle.ts';
import { type Run, slotsOf } from './slot.ts';
import { createBins } from './spread-bins.ts';
import { createStream, type Stream } from './stream.ts';
import { createTally, type Take } from './tally.ts';
import { createTwinKey } from './twins.ts';
import { questionOf } from './vacancy.ts';

export type PlaceRequest = {
  readonly spec: Omit<ClaimSpec, 'consumer' | 'acquireMs' | 'releaseMs'>;
  readonly window: Interval;
  /** Decides between equals where the spec has no seed; the request id. */
  readonly seed: string;
  /** A claim whose own holds do not count: it is placed anew. */
  readonly ignoreClaimUid?: string;
  /** Numbers of providers that may not be taken. */
  readonly except?: ReadonlySet<number>;
  /** A constraint of one of its groups that does not count, by its name in a funnel. */
  readonly leftOut?: { readonly group: string; readonly constraint: string };
  /** Steps that a search may take; absent = EXPANSIONS_MAX. */
  readonly expansionsMax?: number;
  /** Of several searches together, in place of `expansionsMax`. */
  readonly budget?: Budget;
};

export const EXPANSIONS_MAX = 50_000;

export const place = (index: ProviderIndex, request: PlaceRequest): Plan => {
  const found = findPlace(index, request);
  if (found.kind !== 'none') return found;
  return { kind: 'refused', refusal: refusalOf(index, request) };
};

/** The same without an explanation. */
export const findPlace = (index: ProviderIndex, request: PlaceRequest): Answer => {
  const { spec } = request;
  const budget = request.budget ?? createBudget(request.expansionsMax ?? EXPANSIONS_MAX);
  // All that is wanted, where it fits; only then less.
  const whole = hasMinimum(spec.groups) ? withoutMinimum(request) : request;
  const found = placeAs(index, whole, budget);
  return found.kind === 'none' && whole !== request ? placeAs(index, request, budget) : found;
};

/** Whether less than all will do of something. */
export const hasMinimum = (groups: readonly RequestGroup[]): boolean =>
  groups.some(({ resources }) => resources.some(({ minAmount }) => minAmount !== undefined));

const withoutMinimum = (request: PlaceRequest): PlaceRequest => ({
  ...request,
  spec: {
    ...request.spec,
    groups: request.spec.groups.map((group) => ({
      ...group,
      resources: group.resources.map(({ minAmount: _, ...rest }) => rest),
    })),
  },
});

export type Answer = Placed | Exclude<Found, { readonly kind: 'placed' }>;

const placeAs = (index: ProviderIndex, request: PlaceRequest, budget: Budget): Answer => {
  const { spec } = request;
  const selections = createSelections(index);
  if (spec.ranking === 'closest' && spec.nearGroup === undefined && spec.count > 1) {
    const found = spendPart(budget, budget.expansionsMax / 2, (part) =>
      closest(index, request, { budget: part, selections }),
    );
    if (found !== undefined) return found;
  }
  return searchIn(index, request, { budget, only: [], selections });
};

/** In one place; undefined = there is none, or the budget is spent: then it is anywhere. */
const closest = (
  index: ProviderIndex,
  request: PlaceRequest,
  within: Omit<Within, 'only'>,
): Placed | undefined => {
  for (const only of closestAnchors(index, request.spec)) {
    const found = searchIn(index, request, { ...within, only: [only] });
    if (found.kind === 'placed') return found;
    if (found.kind === 'gave-up' || isSpent(within.budget)) return undefined;
  }
  return undefined;
};

type Within = {
  /** Only providers that are in one set of each of these. */
  readonly only: readonly (readonly NumberSet[])[];
  readonly selections: Selections;
  readonly budget: Budget;
};

/** Compiled once for all searches of one request. */
type Selections = (asked: Asked) => Selection;

const createSelections = (index: ProviderIndex): Selections => {
  const known = new Map<readonly ResourceRequest[], Selection>();
  return (asked) => {
    const selection = known.get(asked.resources) ?? selectionOf(index, asked);
    known.set(asked.resources, selection);
    return selection;
  };
};

/** A request compiled for an index, for whoever judges or counts instead of searching. */
export const prepare = (index: ProviderIndex, request: PlaceRequest) => {
  const { spec } = request;
  const selections = createSelections(index);
  const budget = createBudget(EXPANSIONS_MAX);
  const runs = runsOf(index, request, { only: [], selections, budget });
  const relations = createRelations(index, spec);
  const isSpread = spec.spread !== undefined && spec.spread.maxPerGroup > 0;
  return {
    runs,
    relations,
    tally: createTally(index),
    /** The providers that fit one placement can simply be counted. */
    isSimple:
      runs.length === 1 &&
      !relations.exist &&
      !isSpread &&
      (spec.count === 1 || !runs.some((run) => areNested(index, run))),
  };
};

/** Whether it wants wholes some of which are parts of others: they keep each other out. */
const areNested = ({ forest, member }: ProviderIndex, { selection }: Run): boolean => {
  if (!selection.wantsWhole || forest.isFlat()) return false;
  for (const shape of selection.shapes) {
    for (const n of shape.members) {
      if (forest.above(n).some((whole) => selection.shapes.has(member(whole).shape))) return true;
    }
  }
  return false;
};

/** The only group, where nothing depends on anything else; undefined = it takes a search. */
const onlyGroup = ({ groups, count, spread }: PlaceRequest['spec']): RequestGroup | undefined => {
  const [group, second] = groups;
  if (group === undefined || second !== undefined || count !== 1) return undefined;
  return spread !== undefined || isRelated(group) ? undefined : group;
};

/** Most requests: the best provider is the first that there is. */
const placeOne = (
  index: ProviderIndex,
  request: PlaceRequest,
  { group, within }: { readonly group: RequestGroup; readonly within: Within },
): Answer => {
  const { resources } = group;
  const part: RunPart = { ...PART, group, resources, within };
  const selection = selectionFor(request, part);
  const [candidate] = candidatesByRank(
    wishOf(index, request, { ...part, selection }),
    request.spec,
  );
  if (candidate === undefined) return noneWithin(within.budget);
  if (resources.every(({ minAmount }) => minAmount === undefined)) return placedOn(candidate);
  const take = takeOf(request, { ...part, selection });
  const tally = createTally(index);
  tally.add(candidate, take);
  const slot = { run: { take, resource: undefined }, index: 0 };
  return placedPlan([{ slot, candidate }], tally);
};

const searchIn = (index: ProviderIndex, request: PlaceRequest, within: Within): Answer => {
  const { spec } = request;
  const { budget } = within;
  const group = onlyGroup(spec);
  if (group !== undefined) return placeOne(index, request, { group, within });
  const runs = inOrder(runsOf(index, request, within));
  const slots = slotsOf(runs, spec);
  const relations = createRelations(index, spec, budget);
  const tally = createTally(index);
  const found = search({
    spec,
    runs,
    slots,
    relations,
    tally,
    bins: createBins(index, spec, shuffleKey(seedOf(request), 'bins')),
    twinKey: createTwinKey(index, runs),
    budget,
  });
  if (found.kind === 'none') return noneWithin(budget);
  return found.kind === 'placed' ? placedPlan(found.chosen, tally) : found;
};

/** Whoever did not look at everything does not know that there is none. */
const noneWithin = (budget: Budget): Exclude<Found, { readonly kind: 'placed' }> =>
  isCutShort(budget) ? { kind: 'gave-up', expansions: budget.expansions } : { kind: 'none' };

const seedOf = ({ spec, seed }: PlaceRequest): string => spec.seed ?? seed;

const runsOf = (index: ProviderIndex, request: PlaceRequest, within: Within): readonly Run[] => {
  const { groups } = request.spec;
  const wanted = groups.flatMap(
    (group, position): Omit<RunPart, 'number' | 'share' | 'within'>[] => {
      const { resources } = group;
      if (!isOverSeveral(group)) return [{ group, position, resources, resource: undefined }];
      return partsOf(group).map((one, resource) => ({ group, position, resources: one, resource }));
    },
  );
  const rest = { within, share: 1 / wanted.length };
  return wanted.map((part, number) => runOf(index, request, { ...part, ...rest, number }));
};

/** Those with the fewest candidates first, as far as that is known without looking. */
const inOrder = (runs: readonly Run[]): readonly Run[] => {
  if (runs.every(({ group }) => group === runs[0]?.group)) return runs;
  const sizes = new Map(runs.map((run) => [run, knownSize(run)]));
  return runs.toSorted((a, b) => (sizes.get(a) ?? 0) - (sizes.get(b) ?? 0));
};

const parts = new WeakMap<RequestGroup, readonly (readonly ResourceRequest[])[]>();

/** Each resource for itself; the same lists for the same group. */
const partsOf = (group: RequestGroup): readonly (readonly ResourceRequest[])[] => {
  const those = parts.get(group) ?? group.resources.map((one) => [one]);
  parts.set(group, those);
  return those;
};

/** Looks at a few candidates: enough to tell a narrow run from a wide one. */
const KNOWN_MAX = 64;

const knownSize = ({ stream }: Run): number => {
  let size = 0;
  while (size < KNOWN_MAX && stream.at(size) !== undefined) size += 1;
  return size;
};

type RunPart = {
  readonly group: RequestGroup;
  readonly position: number;
  readonly resources: readonly ResourceRequest[];
  readonly resource: number | undefined;
  readonly number: number;
  /** How much of one look at the fleet is for it. */
  readonly share: number;
  readonly within: Within;
};

/** Of a request with one group. */
const PART = { position: 0, resource: undefined, number: 0, share: 1 } as const;

const selectionFor = ({ spec, leftOut }: PlaceRequest, part: RunPart): Selection => {
  const { group, resources, resource, within } = part;
  return within.selections({
    group,
    resources,
    isPart: resource !== undefined,
    ...(spec.spread !== undefined && { spreadKind: spec.spread.groupKind }),
    ...(leftOut?.group === group.name && { leftOut: leftOut.constraint }),
  });
};

type Selected = RunPart & { readonly selection: Selection };

const wishOf = (
  index: ProviderIndex,
  request: PlaceRequest,
  { selection, share, within: { budget, only } }: Selected,
): Wish => ({
  index,
  selection,
  question: questionOf(request),
  ranking: request.spec.ranking,
  seed: seedOf(request),
  only,
  ...(request.except !== undefined && { except: request.except }),
  // The fleet is looked at once; part of it may be again and again.
  ...(only.length === 0
    ? { spent: budget.once, share: budget.once.looksMax * share }
    : { spent: budget, share: Infinity }),
  fresh: new Map(),
});

const takeOf = (
  { spec }: PlaceRequest,
  { group, position, resources, selection }: Selected,
): Take => ({
  position,
  resources,
  wantsWhole: selection.wantsWhole,
  isolatedFrom: isolationOf(spec.groups, group),
});

const runOf = (index: ProviderIndex, request: PlaceRequest, part: RunPart): Run => {
  const { group, resource, number } = part;
  const selection = selectionFor(request, part);
  const wish = wishOf(index, request, { ...part, selection });
  return {
    number,
    group,
    resource,
    selection,
    take: takeOf(request, { ...part, selection }),
    stream: createStream(candidatesByRank(wish, request.spec)),
    ...answersOf({ ...wish, spent: part.within.budget, share: Infinity }),
    conflicts: 0,
    failed: new Set(),
    failedTwins: new Set(),
    emptied: new Set(),
    passed: 0,
    barren: new Set(),
  };
};

/** What is asked again and again for one run is found once. */
const answersOf = (wish: Wish): Pick<Run, 'restricted' | 'candidate'> => {
  const streams = new Map<readonly NumberSet[], Stream>();
  const judged = new Map<number, Candidate | undefined>();
  return {
    restricted: (sets) => {
      const stream =
        streams.get(sets) ?? createStream(candidatesOf({ ...wish, only: [...wish.only, sets] }));
      streams.set(sets, stream);
      return stream;
    },
    candidate: (member) => {
      if (!judged.has(member.n)) judged.set(member.n, judgeMember(wish, member));
      return judged.get(member.n);
    },
  };
};

const candidatesByRank = (wish: Wish, spec: PlaceRequest['spec']): Iterable<Candidate> =>
  spec.ranking === 'closest' && spec.nearGroup !== undefined
    ? nearestFirst(wish, spec)
    : candidatesOf(wish);

/** Near a group: all of one step before any of the next. */
function* nearestFirst(wish: Wish, spec: PlaceRequest['spec']): Generator<Candidate> {
  const passed = new Set<number>();
  for (const only of nearTiers(wish.index, spec)) {
    for (const candidate of candidatesOf({ ...wish, only: [...wish.only, only] })) {
      if (passed.has(candidate.member.n)) continue;
      passed.add(candidate.member.n);
      yield { ...candidate, order: passed.size };
    }
  }
  for (const candidate of candidatesOf(wish)) if (!passed.has(candidate.member.n)) yield candidate;
}

/** Isolation holds both ways, whichever group names the other. */
const isolationOf = (groups: readonly RequestGroup[], group: RequestGroup): ReadonlySet<number> =>
  new Set(
    groups.flatMap((other, at) =>
      group.isolateFrom.includes(other.name) || other.isolateFrom.includes(group.name) ? [at] : [],
    ),
  );
