/**
 * Finds providers for a request: compile the constraints, take the candidates best first, search
 * where placements depend on each other. Pure and synchronous; the same request on the same index
 * gives the same plan.
 */
import { type Candidate, candidatesOf, judgeMember, type Wish } from './candidate.ts';
import type { ClaimSpec, RequestGroup, ResourceRequest } from './claim.ts';
import { closestAnchors, nearTiers } from './closest.ts';
import type { Asked } from './constraint.ts';
import { refusalOf } from './funnel.ts';
import type { Interval } from './hold.ts';
import type { NumberSet } from './number-set.ts';
import { placedPlan } from './placed-plan.ts';
import type { Placed, Plan } from './plan.ts';
import type { ProviderIndex } from './provider-index.ts';
import { createRelations } from './relations.ts';
import { type Budget, type Found, search } from './search.ts';
import { type Selection, select } from './selection.ts';
import { shuffleKey } from './shuffle.ts';
import { type Run, slotsOf } from './slot.ts';
import { createBins } from './spread-bins.ts';
import { createStream, type Stream } from './stream.ts';
import { createTally } from './tally.ts';
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
  /** Steps that a search may take; absent = EXPANSIONS_MAX. */
  readonly expansionsMax?: number;
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
  const expansionsMax = request.expansionsMax ?? EXPANSIONS_MAX;
  const budget: Budget = { expansions: 0, looks: 0, expansionsMax };
  // All that is wanted, where it fits; only then less.
  const whole = hasMinimum(spec.groups) ? withoutMinimum(request) : request;
  const found = placeAs(index, whole, budget);
  return found.kind === 'none' && whole !== request ? placeAs(index, request, budget) : found;
};

const hasMinimum = (groups: readonly RequestGroup[]): boolean =>
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
    for (const only of closestAnchors(index, spec)) {
      const found = searchIn(index, request, { budget, only, selections });
      if (found.kind !== 'none') return found;
    }
  }
  return searchIn(index, request, { budget, only: undefined, selections });
};

type Compiled = {
  readonly only: readonly NumberSet[] | undefined;
  readonly selections: Selections;
};

type Within = Compiled & { readonly budget: Budget };

/** Compiled once for all searches of one request. */
type Selections = (asked: Asked) => Selection;

const createSelections = (index: ProviderIndex): Selections => {
  const known = new Map<readonly ResourceRequest[], Selection>();
  return (asked) => {
    const selection = known.get(asked.resources) ?? select(index, asked);
    known.set(asked.resources, selection);
    return selection;
  };
};

/** A request compiled for an index, for whoever judges or counts instead of searching. */
export const prepare = (index: ProviderIndex, request: PlaceRequest) => {
  const { spec } = request;
  const selections = createSelections(index);
  const runs = runsOf(index, request, { only: undefined, selections });
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

const searchIn = (index: ProviderIndex, request: PlaceRequest, within: Within): Answer => {
  const { spec } = request;
  const runs = runsOf(index, request, within);
  const slots = slotsOf(runs, spec);
  const relations = createRelations(index, spec);
  const tally = createTally(index);
  const [slot] = slots;
  if (slots.length === 1 && slot !== undefined && !relations.exist && spec.spread === undefined) {
    const candidate = slot.run.stream.at(0);
    if (candidate === undefined) return { kind: 'none' };
    tally.add(candidate, slot.run.take);
    return placedPlan([{ slot, candidate }], tally);
  }
  const found = search({
    spec,
    slots,
    relations,
    tally,
    bins: createBins(index, spec, shuffleKey(seedOf(request), 'bins')),
    twinKey: createTwinKey(index, runs),
    budget: within.budget,
  });
  return found.kind === 'placed' ? placedPlan(found.chosen, tally) : found;
};

const seedOf = ({ spec, seed }: PlaceRequest): string => spec.seed ?? seed;

/** Those with the fewest candidates first, as far as that is known without looking. */
const runsOf = (
  index: ProviderIndex,
  request: PlaceRequest,
  { only, selections }: Compiled,
): readonly Run[] => {
  const { groups } = request.spec;
  const runs = groups.flatMap((group, position) => {
    if (group.multipleProviders !== true) {
      const { resources } = group;
      const part = { group, position, resources, resource: undefined, only, selections };
      return [runOf(index, request, part)];
    }
    return partsOf(group).map((resources, resource) =>
      runOf(index, request, { group, position, resources, resource, only, selections }),
    );
  });
  if (groups.length === 1) return runs;
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
  readonly only: readonly NumberSet[] | undefined;
  readonly selections: Selections;
};

const runOf = (index: ProviderIndex, request: PlaceRequest, part: RunPart): Run => {
  const { group, position, resources, resource, only, selections } = part;
  const { spec } = request;
  const isPart = resource !== undefined;
  const selection = selections({
    group,
    resources,
    isPart,
    ...(spec.spread !== undefined && { spreadKind: spec.spread.groupKind }),
  });
  const wish: Wish = {
    index,
    selection,
    question: questionOf(request),
    ranking: spec.ranking,
    seed: seedOf(request),
    ...(request.except !== undefined && { except: request.except }),
    ...(only !== undefined && { only }),
  };
  const streams = new Map<NumberSet | undefined, Stream>();
  const judged = new Map<number, Candidate | undefined>();
  return {
    group,
    resource,
    selection,
    take: {
      position,
      resources,
      wantsWhole: selection.wantsWhole,
      isolatedFrom: isolationOf(spec.groups, group),
    },
    stream: createStream(candidatesByRank(wish, spec)),
    restricted: (sets) => {
      const key = sets.length === 1 ? sets[0] : undefined;
      const known = key === undefined ? undefined : streams.get(key);
      if (known !== undefined) return known;
      const stream = createStream(candidatesOf({ ...wish, only: sets }));
      if (key !== undefined) streams.set(key, stream);
      return stream;
    },
    candidate: (member) => {
      if (!judged.has(member.n)) judged.set(member.n, judgeMember(wish, member));
      return judged.get(member.n);
    },
    failed: new Set(),
    failedTwins: new Set(),
  };
};

/** Near a group: all of one step before any of the next. */
function* candidatesByRank(wish: Wish, spec: PlaceRequest['spec']): Generator<Candidate> {
  const passed = new Set<number>();
  if (spec.ranking === 'closest' && spec.nearGroup !== undefined) {
    for (const only of nearTiers(wish.index, spec)) {
      for (const candidate of candidatesOf({ ...wish, only })) {
        if (passed.has(candidate.member.n)) continue;
        passed.add(candidate.member.n);
        yield { ...candidate, order: passed.size };
      }
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
