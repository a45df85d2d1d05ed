/**
 * Whether a request fits, what each constraint removes, and which requests near to it would fit.
 */
import { type Budget, createBudget, isUsedUp, spendPart } from './budget.ts';
import { createWindowBudget, findWindows } from './find-windows.ts';
import { funnelsOf, togetherOf } from './funnel.ts';
import { findPlace, type PlaceRequest } from './place.ts';
import type { Funnel } from './plan.ts';
import type { ProviderIndex } from './provider-index.ts';
import { saidAmount, saidOf } from './spoken.ts';

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

/** Pauses where others may be served. */
export function* explain(
  index: ProviderIndex,
  request: PlaceRequest,
): Generator<void, Explanation> {
  const found = findPlace(index, request);
  yield;
  const groups = yield* funnelsOf(index, request);
  if (found.kind === 'placed') return { fits: true, groups, obstacle: undefined, suggestions: [] };
  const budget = createBudget(TRIALS_EXPANSIONS, TRIAL_LOOKS);
  const isPlaced: Trial = function* (trial) {
    if (isUsedUp(budget)) return false;
    yield;
    const placing = (part: Budget) => findPlace(index, { ...trial, budget: part });
    return spendPart(budget, TRIAL_EXPANSIONS, placing).kind === 'placed';
  };
  return {
    fits: false,
    groups,
    obstacle: obstacleOf(request, groups, found.kind === 'gave-up'),
    suggestions: [
      ...(yield* fewer(request, isPlaced)),
      ...(yield* less(request, isPlaced)),
      ...(yield* later(index, request, budget)),
      ...withoutOne(groups),
    ],
  };
}

const obstacleOf = (
  request: PlaceRequest,
  groups: readonly Funnel[],
  gaveUp: boolean,
): string | undefined => {
  if (gaveUp) return 'undecided within the budget of the search; ask for less at once';
  return groups.some(({ remaining }) => remaining === 0) ? undefined : togetherOf(request);
};

/** Where more than one group finds no room, dropping a constraint of one does not help. */
const withoutOne = (groups: readonly Funnel[]): readonly string[] => {
  const [short, another] = groups.filter(({ fitsAlone }) => !fitsAlone);
  if (short === undefined || another !== undefined) return [];
  const { group, canDrop } = short;
  return canDrop.map((constraint) => `without "${constraint}" in group "${group}"`);
};

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

/** The same later. */
function* later(
  index: ProviderIndex,
  request: PlaceRequest,
  budget: Budget,
): Generator<void, readonly string[]> {
  const { fromMs, toMs } = request.window;
  if (toMs === Infinity) return [];
  const question = {
    durationMs: toMs - fromMs,
    earliestMs: fromMs,
    latestMs: toMs + DAYS_90_MS,
    limit: 1,
  };
  const shared = createWindowBudget(budget);
  const { windows } = yield* findWindows(index, request, question, shared);
  const [window] = windows;
  return window === undefined ? [] : [`from ${new Date(window.beginMs).toISOString()} on`];
}
