/**
 * Whether a request fits, what each constraint removes, and which requests near to it would fit.
 */
import { type Budget, createBudget, isUsedUp, spendPart } from './budget.ts';
import type { RequestGroup } from './claim.ts';
import { createWindowBudget, findWindows } from './find-windows.ts';
import { funnelsOf, togetherOf } from './funnel.ts';
import { findPlace, type PlaceRequest } from './place.ts';
import type { Funnel, Placed } from './plan.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { Counting, Excess, QuotaBook } from './quota-book.ts';
import { saidExcess } from './quota-check.ts';
import { givenAmounts, leastAmounts } from './quota-count.ts';
import { beginsWithin } from './quota-windows.ts';
import { isRelated } from './relations.ts';
import { type Relaxed, relaxedOf, withoutConstraint } from './relaxed.ts';
import { saidAmount, saidOf } from './spoken.ts';
import { placeWithinQuota } from './within-quota.ts';

export type Explanation = {
  readonly fits: boolean;
  /** One per request group, or per resource of a group over several providers. */
  readonly groups: readonly Funnel[];
  /** What stands in the way of all together; undefined = nothing. */
  readonly obstacle: string | undefined;
  /** What would fit instead, nearest first, as people say it. */
  readonly suggestions: readonly string[];
};

/** Steps that one trial of something near may take, and all together. */
const TRIAL_EXPANSIONS = 5_000;
const TRIALS_EXPANSIONS = 50_000;
/** What one of them may look at of the fleet: nobody else is served before it ends. */
const TRIAL_LOOKS = 3_000_000;
const DAYS_90_MS = 90 * 86_400_000;

/** What else may stand in the way: the quotas, of whoever asks. */
export type Limits = { readonly quotas: QuotaBook; readonly who: Counting };

/** Pauses where others may be served. */
export function* explain(
  index: ProviderIndex,
  request: PlaceRequest,
  limits?: Limits,
): Generator<void, Explanation> {
  const found = findPlace(index, request);
  yield;
  const groups = yield* funnelsOf(index, request);
  const excess = found.kind === 'placed' ? excessOf(limits, request, found) : undefined;
  const isEnough = excess === undefined || fitsWithLess(index, request, limits);
  if (found.kind === 'placed' && isEnough) {
    return { fits: true, groups, obstacle: undefined, suggestions: [] };
  }
  const budget = createBudget(TRIALS_EXPANSIONS, TRIAL_LOOKS);
  const isPlaced: Trial = function* (trial) {
    if (isUsedUp(budget)) return false;
    yield;
    const placing = (part: Budget) => findPlace(index, { ...trial, budget: part });
    const plan = spendPart(budget, TRIAL_EXPANSIONS, placing);
    return plan.kind === 'placed' && excessOf(limits, trial, plan) === undefined;
  };
  const least = limits?.quotas.excess(limits.who, leastAmounts(request.spec), request.window);
  const passed = excess ?? least;
  const smaller = [...(yield* fewer(request, isPlaced)), ...(yield* less(request, isPlaced))];
  const dropped = passed === undefined ? yield* withoutOne(request, groups, isPlaced) : [];
  const related = passed === undefined ? yield* withoutRelation(request, groups, isPlaced) : [];
  return {
    fits: false,
    groups: groups.map((funnel) => withRelations(funnel, related)),
    obstacle:
      (excess === undefined
        ? obstacleOf({ request, groups, related, gaveUp: found.kind === 'gave-up' })
        : undefined) ??
      (passed && saidExcess(passed)),
    suggestions: [
      ...smaller,
      ...(yield* later(index, request, { budget, limits })),
      ...dropped,
      ...related.map(saidWithout),
    ],
  };
}

const excessOf = (
  limits: Limits | undefined,
  { spec, window }: PlaceRequest,
  { placements }: Placed,
): Excess | undefined => limits?.quotas.excess(limits.who, givenAmounts(spec, placements), window);

/** Whether the quota allows at least what would do. */
const fitsWithLess = (index: ProviderIndex, request: PlaceRequest, limits?: Limits): boolean => {
  if (limits === undefined) return false;
  const parts = { providers: index, quotas: limits.quotas };
  const plan = placeWithinQuota(parts, request, limits.who);
  return plan.kind === 'placed' && excessOf(limits, request, plan) === undefined;
};

type Obstacles = {
  readonly request: PlaceRequest;
  readonly groups: readonly Funnel[];
  /** Those without which it would fit. */
  readonly related: readonly Relaxed[];
  readonly gaveUp: boolean;
};

const obstacleOf = ({ request, groups, related, gaveUp }: Obstacles): string | undefined => {
  if (gaveUp) return 'undecided within the budget of the search; ask for less at once';
  if (groups.some(({ remaining }) => remaining === 0)) return undefined;
  return related.length === 0 ? togetherOf(request) : related.map(saidRelation).join('; ');
};

const saidRelation = ({ group, constraint }: Relaxed): string =>
  group === undefined ? `"${constraint}"` : `"${constraint}" in group "${group}"`;

const saidWithout = (relaxed: Relaxed): string => `without ${saidRelation(relaxed)}`;

/** What alone stands in the way belongs to the funnel of its group; what is the claim's, to all. */
const withRelations = (funnel: Funnel, related: readonly Relaxed[]): Funnel => {
  const own = related.filter(({ group }) => group === undefined || group === funnel.requestGroup);
  const names = own.map(({ constraint }) => constraint);
  return { ...funnel, fitsWithout: [...funnel.fitsWithout, ...names] };
};

/**
 * Where more than one group finds no room, dropping a constraint of one does not help. Where groups
 * depend on each other it is tried; elsewhere the funnel knows.
 */
function* withoutOne(
  request: PlaceRequest,
  groups: readonly Funnel[],
  isPlaced: Trial,
): Generator<void, readonly string[]> {
  const [short, another] = groups.filter(({ fitsAlone }) => !fitsAlone);
  if (short === undefined || another !== undefined) return [];
  const { requestGroup: group, canDrop } = short;
  const isSure = request.spec.spread === undefined && isLone(request.spec.groups);
  const found: string[] = [];
  for (const constraint of canDrop) {
    if (!isSure && !(yield* isPlaced(withoutConstraint(request, group, constraint)))) continue;
    found.push(`without "${constraint}" in group "${group}"`);
  }
  return found;
}

const isLone = ([only, second]: readonly RequestGroup[]): boolean =>
  only !== undefined && second === undefined && !isRelated(only) && only.isolateFrom.length === 0;

/** What the groups demand of each other, where each for itself has room. */
function* withoutRelation(
  request: PlaceRequest,
  groups: readonly Funnel[],
  isPlaced: Trial,
): Generator<void, readonly Relaxed[]> {
  if (groups.some(({ fitsAlone }) => !fitsAlone)) return [];
  const found: Relaxed[] = [];
  for (const relaxed of relaxedOf(request)) {
    if (yield* isPlaced(relaxed.request)) found.push(relaxed);
  }
  return found;
}

/** Whether something near would fit; false when the budget of all trials is spent. */
type Trial = (request: PlaceRequest) => Generator<void, boolean>;

/** The largest count that fits. */
function* fewer(request: PlaceRequest, isPlaced: Trial): Generator<void, readonly string[]> {
  const { count } = request.spec;
  let [fits, tooMany] = [0, count];
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    const isIt = yield* isPlaced({ ...request, spec: { ...request.spec, count: middle } });
    if (isIt) fits = middle;
    else tooMany = middle;
  }
  return fits === 0 ? [] : [`${fits} instead of ${count}`];
}

/** The largest amount of one resource that fits, in halves of what was asked for. */
function* less(request: PlaceRequest, isPlaced: Trial): Generator<void, readonly string[]> {
  const { groups } = request.spec;
  const found: string[] = [];
  for (const [position, group] of groups.entries()) {
    for (const [at, resource] of group.resources.entries()) {
      const isWith = (wanted: number) => {
        const resources = group.resources.with(at, { ...resource, amount: wanted });
        const changed = groups.with(position, { ...group, resources });
        return isPlaced({ ...request, spec: { ...request.spec, groups: changed } });
      };
      const fits = yield* most(isWith, resource.amount);
      if (fits === 0) continue;
      const { resourceType, amount } = resource;
      found.push(`${saidOf(resourceType, fits)} instead of ${saidAmount(resourceType, amount)}`);
    }
  }
  return found;
}

/** The first of its halves that fits, and up from there to a sixteenth; 0 = none does. */
function* most(
  isWith: (wanted: number) => Generator<void, boolean>,
  amount: number,
): Generator<void, number> {
  let fits = Math.floor(amount / 2);
  while (fits >= 1 && !(yield* isWith(fits))) fits = Math.floor(fits / 2);
  let tooMuch = Math.min(amount, fits * 2 + 1);
  for (let round = 0; fits >= 1 && round < 4 && tooMuch - fits > 1; round += 1) {
    const middle = fits + Math.floor((tooMuch - fits) / 2);
    if (yield* isWith(middle)) fits = middle;
    else tooMuch = middle;
  }
  return fits;
}

type Later = { readonly budget: Budget; readonly limits: Limits | undefined };

/** The same later. */
function* later(
  index: ProviderIndex,
  request: PlaceRequest,
  { budget, limits }: Later,
): Generator<void, readonly string[]> {
  const { fromMs, toMs } = request.window;
  if (toMs === Infinity) return [];
  const durationMs = toMs - fromMs;
  const latestMs = toMs + DAYS_90_MS;
  const range = { fromMs, toMs: latestMs - durationMs };
  const amounts = leastAmounts(request.spec);
  const begins = limits && beginsWithin(limits.quotas, limits.who, { amounts, durationMs, range });
  const question = {
    durationMs,
    earliestMs: fromMs,
    latestMs,
    limit: 1,
    ...(begins !== undefined && { begins }),
  };
  const shared = createWindowBudget(budget);
  const { windows } = yield* findWindows(index, request, question, shared);
  const [window] = windows;
  return window === undefined ? [] : [`from ${new Date(window.beginMs).toISOString()} on`];
}
