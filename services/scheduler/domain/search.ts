/**
 * Chooses a provider for every placement of a claim, all or nothing: depth first with backtracking.
 * Within its budget of expansions it is complete; beyond it the answer is that nobody knows, never
 * that nothing fits.
 *
 * Placements of one group are alike. When one of them fails on a provider, none of the rest of its
 * group needs to try that provider at the same depth or below: whatever solution had it there would
 * also have it here.
 */
import type { Offers } from './capacity.ts';
import type { Placement, Ranking, RequestGroup } from './claim.ts';
import type { Chosen } from './plan.ts';
import type { Scorer } from './scorer.ts';
import { packScorer } from './scorers/pack.ts';
import { randomScorer } from './scorers/random.ts';
import { spreadScorer } from './scorers/spread.ts';
import { createTally, type Tally } from './tally.ts';
import type { Vacancy } from './vacancy.ts';

export type Candidate = {
  readonly uid: string;
  readonly name: string;
  readonly offers: Offers;
  readonly vacancy: Vacancy;
  /** Its place among equals. */
  readonly order: number;
};

export type SearchGroup = {
  readonly group: RequestGroup;
  /** Each of them fits one placement of the group while the claim has nothing else there. */
  readonly candidates: readonly Candidate[];
  /**
   * Positions of groups that may not share a provider with this one; its own = one placement per
   * provider.
   */
  readonly isolatedFrom: ReadonlySet<number>;
};

export type SearchRequest = {
  readonly groups: readonly SearchGroup[];
  readonly count: number;
  readonly ranking: Ranking;
  readonly expansionsMax: number;
};

export type Found =
  | {
      readonly kind: 'placed';
      readonly providers: readonly Chosen[];
      readonly placements: readonly Placement[];
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'gave-up'; readonly expansions: number };

const SCORERS: Readonly<Record<Ranking, Scorer>> = {
  pack: packScorer,
  spread: spreadScorer,
  random: randomScorer,
  closest: packScorer,
};

/**
 * Comparisons of used providers for one expansion allowed; a claim of thousands of placements ends
 * by it.
 */
const LOOKS_PER_EXPANSION = 200;

type Frame = {
  readonly run: Run;
  readonly at: number;
  chosen: Candidate | undefined;
  /** Candidates that failed here; they count for the rest of the run while this frame stands. */
  readonly failed: Candidate[];
};

/** The placements of one group, which stand next to each other in the search. */
type Run = {
  readonly position: number;
  readonly search: SearchGroup;
  readonly ranked: readonly Candidate[];
  readonly failed: Set<Candidate>;
};

export const search = (request: SearchRequest): Found => {
  const tally = createTally(request);
  const score = scoreBy(SCORERS[request.ranking], tally);
  const runs = runsOf(request, score);
  if (runs.some((run) => !tally.hasRoom(run.search, run.position, request.count, run.failed))) {
    return { kind: 'none' };
  }
  const total = runs.length * request.count;
  const frames: Frame[] = [];
  const budget = { expansions: 0, looks: 0 };
  for (;;) {
    const top = frames.at(-1);
    if (frames.length === total && top?.chosen !== undefined) return placed(frames);
    const frame = top === undefined || top.chosen !== undefined ? open(frames, runs, request) : top;
    budget.expansions += 1;
    const next = best({ frame, tally, score, budget });
    const { expansionsMax } = request;
    if (budget.expansions > expansionsMax || budget.looks > expansionsMax * LOOKS_PER_EXPANSION) {
      return { kind: 'gave-up', expansions: budget.expansions };
    }
    if (next !== undefined && canFinish(frame, tally, request.count)) {
      frame.chosen = next;
      tally.add(next, frame.run.position);
    } else if (!retreat(frames, tally)) {
      return { kind: 'none' };
    }
  }
};

/** Groups with the fewest candidates first: they fail soonest. */
const runsOf = (request: SearchRequest, score: Score): readonly Run[] =>
  request.groups
    .map((search, position) => ({
      position,
      search,
      ranked: rank(search.candidates, (candidate) => score(candidate, position)),
      failed: new Set<Candidate>(),
    }))
    .toSorted((a, b) => a.ranked.length - b.ranked.length || a.position - b.position);

const rank = (
  candidates: readonly Candidate[],
  scoreOf: (candidate: Candidate) => number,
): readonly Candidate[] =>
  candidates
    .map((candidate) => ({ candidate, score: scoreOf(candidate) }))
    .sort((a, b) => b.score - a.score || a.candidate.order - b.candidate.order)
    .map(({ candidate }) => candidate);

type Score = (candidate: Candidate, position: number) => number;

const scoreBy =
  (scorer: Scorer, tally: Tally): Score =>
  (candidate, position) =>
    scorer.score(tally.loadsOf(candidate, position));

const open = (frames: Frame[], runs: readonly Run[], { count }: SearchRequest): Frame => {
  const run = runs[Math.floor(frames.length / count)];
  if (run === undefined) throw new Error('The search went beyond its last placement');
  const frame: Frame = { run, at: frames.length % count, chosen: undefined, failed: [] };
  frames.push(frame);
  return frame;
};

type Choice = {
  readonly frame: Frame;
  readonly tally: Tally;
  readonly score: Score;
  readonly budget: { looks: number };
};

/**
 * The best that still fits: of those that the plan uses already their score has changed, of the
 * others the first in the order of the beginning is the best.
 */
const best = ({ frame: { run }, tally, score, budget }: Choice): Candidate | undefined => {
  const { position } = run;
  let found: Candidate | undefined;
  let foundScore = 0;
  const offer = (candidate: Candidate): void => {
    const its = score(candidate, position);
    const isBetter =
      found === undefined ||
      its > foundScore ||
      (its === foundScore && candidate.order < found.order);
    if (isBetter) [found, foundScore] = [candidate, its];
  };
  for (const candidate of tally.used(run.search)) {
    budget.looks += 1;
    if (!run.failed.has(candidate) && tally.fits(candidate, run.search, position)) offer(candidate);
  }
  for (const candidate of run.ranked) {
    budget.looks += 1;
    if (run.failed.has(candidate) || tally.isUsed(candidate)) continue;
    offer(candidate);
    break;
  }
  return found;
};

/** Once a provider has failed, whether the others can hold the rest of the group at all. */
const canFinish = ({ run, at }: Frame, tally: Tally, count: number): boolean =>
  run.failed.size === 0 || tally.hasRoom(run.search, run.position, count - at, run.failed);

/** Takes back the last choice; false when there is none left. */
const retreat = (frames: Frame[], tally: Tally): boolean => {
  const spent = frames.pop();
  for (const candidate of spent?.failed ?? []) spent?.run.failed.delete(candidate);
  const last = frames.at(-1);
  if (last?.chosen === undefined) return false;
  tally.remove(last.chosen, last.run.position);
  last.run.failed.add(last.chosen);
  last.failed.push(last.chosen);
  last.chosen = undefined;
  return true;
};

const placed = (frames: readonly Frame[]): Found => {
  const numbers = new Map<string, number>();
  const providers: Chosen[] = [];
  const placements = frames.flatMap(({ chosen, run, at }): Placement[] => {
    if (chosen === undefined) return [];
    const known = numbers.get(chosen.uid);
    const provider = known ?? providers.length;
    if (known === undefined) {
      numbers.set(chosen.uid, provider);
      providers.push({ uid: chosen.uid, name: chosen.name });
    }
    return [{ group: run.position, index: at, provider }];
  });
  placements.sort((a, b) => a.group - b.group || a.index - b.index);
  return { kind: 'placed', providers, placements };
};
