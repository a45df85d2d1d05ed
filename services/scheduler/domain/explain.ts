/**
 * Whether a request fits, what each constraint removes, and which requests near to it would fit.
 */
import { type Budget, createBudget, isUsedUp, spendPart } from './budget.ts';
import { findWindows } from './find-windows.ts';
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
const DAYS_90_MS = 90 * 86_400_000;

export const explain = (index: ProviderIndex, request: PlaceRequest): Explanation => {
  const found = findPlace(index, request);
  const groups = funnelsOf(index, request);
  if (found.kind === 'placed') return { fits: true, groups, obstacle: undefined, suggestions: [] };
  const budget = createBudget(TRIALS_EXPANSIONS);
  const isPlaced = (trial: PlaceRequest): boolean =>
    !isUsedUp(budget) &&
    spendPart(budget, TRIAL_EXPANSIONS, (part) => findPlace(index, { ...trial, budget: part }))
      .kind === 'placed';
  return {
    fits: false,
    groups,
    obstacle: obstacleOf(request, groups, found.kind === 'gave-up'),
    suggestions: [
      ...fewer(request, isPlaced),
      ...less(request, isPlaced),
      ...later(index, request, budget),
      ...withoutOne(groups),
    ],
  };
};

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
type Trial = (request: PlaceRequest) => boolean;

/** The largest count that fits. */
const fewer = (request: PlaceRequest, isPlaced: Trial): readonly string[] => {
  const { count } = request.spec;
  let [fits, tooMany] = [0, count];
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    if (isPlaced({ ...request, spec: { ...request.spec, count: middle } })) fits = middle;
    else tooMany = middle;
  }
  return fits === 0 ? [] : [`${fits} instead of ${count}`];
};

/** The largest amount of one resource that fits, in halves of what was asked for. */
const less = (request: PlaceRequest, isPlaced: Trial): readonly string[] => {
  const { groups } = request.spec;
  return groups.flatMap((group, position) =>
    group.resources.flatMap(({ resourceType, amount }, at) => {
      const isWith = (wanted: number): boolean => {
        const resources = group.resources.with(at, {
          ...group.resources[at],
          resourceType,
          amount: wanted,
        });
        const changed = groups.with(position, { ...group, resources });
        return isPlaced({ ...request, spec: { ...request.spec, groups: changed } });
      };
      for (let wanted = Math.floor(amount / 2); wanted >= 1; wanted = Math.floor(wanted / 2)) {
        if (!isWith(wanted)) continue;
        const tooMuch = Math.min(amount, wanted * 2 + 1);
        const fitting = saidOf(resourceType, most(isWith, wanted, tooMuch));
        return [`${fitting} instead of ${saidAmount(resourceType, amount)}`];
      }
      return [];
    }),
  );
};

/** Between an amount that fits and one that does not, to a sixteenth of the difference. */
const most = (isWith: (wanted: number) => boolean, fits: number, tooMuch: number): number => {
  let [low, high] = [fits, tooMuch];
  for (let round = 0; round < 4 && high - low > 1; round += 1) {
    const middle = low + Math.floor((high - low) / 2);
    if (isWith(middle)) low = middle;
    else high = middle;
  }
  return low;
};

/** The same later. */
const later = (index: ProviderIndex, request: PlaceRequest, budget: Budget): readonly string[] => {
  const { fromMs, toMs } = request.window;
  if (toMs === Infinity) return [];
  const question = {
    durationMs: toMs - fromMs,
    earliestMs: fromMs,
    latestMs: toMs + DAYS_90_MS,
    limit: 1,
  };
  const [window] = findWindows(index, request, question, budget);
  return window === undefined ? [] : [`from ${new Date(window.beginMs).toISOString()} on`];
};
