/**
 * The providers that can answer one placement, best first, found only as far as they are asked for.
 * Most requests take the first: that must not cost more in a larger fleet. Providers without claims
 * and those whose sums leave room are found by class; only when these run out, those whose claims
 * begin or end are judged one by one over the window.
 */
import type { Booked } from './bookings.ts';
import type { LimitedLooks } from './budget.ts';
import type { Ranking } from './claim.ts';
import type { NumberSet } from './number-set.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { SCORERS } from './ranking-scorers.ts';
import { freshScoreOf, roomyClassesOf } from './roomy-classes.ts';
import { freeShare } from './scorer.ts';
import { isWithin, narrowest, type Selection, sizeOf } from './selection.ts';
import type { LoadClass, Shape } from './shape.ts';
import { shuffleKey, shuffleNumber } from './shuffle.ts';
import { isIdle, lackingIn, type Question, type Vacancy, vacancyOf } from './vacancy.ts';

export type Candidate = {
  readonly member: Member;
  readonly vacancy: Vacancy;
  /** Before the plan takes anything of it. */
  readonly score: number;
  /** Its place among equals. */
  readonly order: number;
};

export type Wish = {
  readonly index: ProviderIndex;
  readonly selection: Selection;
  readonly question: Question;
  readonly ranking: Ranking;
  readonly seed: string;
  /** Only providers that are in one set of each of these. */
  readonly only: readonly (readonly NumberSet[])[];
  /** Numbers that are not taken; absent = none. */
  readonly except?: ReadonlySet<number>;
  /** Where it is counted what is looked at, and what ends it. */
  readonly spent: LimitedLooks;
  /** How much of that one list of providers may take. */
  readonly share: number;
  /** What is known of shapes of which nothing is held. */
  readonly fresh: Map<Shape, Fresh>;
};

/** All providers of a shape of which nothing is held are equal. */
type Fresh = Pick<Candidate, 'vacancy' | 'score'>;

/** What it takes, in looks, to see that a provider is not allowed, and to judge one further. */
const PASSED_LOOKS = 2;
const FRESH_LOOKS = 8;
const HELD_LOOKS = 4;
const VACANCY_LOOKS = 20;
/** For each hold of a provider that is judged. */
const HOLD_LOOKS = 2;

/** A narrow set of at most so many providers is judged one by one and sorted. */
const NARROW_MAX = 2_048;
/** So many misses in a row for each provider of a larger set, and it is judged one by one too. */
const MISSES_MAX = 4;

export const candidatesOf = (wish: Wish): Iterable<Candidate> => {
  const narrow = narrowSets(wish);
  const size = narrow === undefined ? Infinity : sizeOf(narrow);
  if (narrow !== undefined && size <= NARROW_MAX) {
    return judged({ ...wish, only: wish.only.filter((sets) => sets !== narrow) }, narrow);
  }
  const walk: Walk = { passed: new Set(), missesMax: size * MISSES_MAX, isLeft: false };
  return oneAfterOther([
    () => fromClasses(wish, walk),
    () => {
      if (walk.isLeft && narrow !== undefined) return judged(wish, narrow, walk.passed);
      const timed = [...wish.selection.shapes].map((shape) => shape.timed);
      return judged(wish, [...timed, ...ignoredProviders(wish)], walk.passed);
    },
  ]);
};

type Walk = {
  /** Numbers of those that were allowed. */
  readonly passed: Set<number>;
  readonly missesMax: number;
  /** It was left before all classes were through, because so many in a row were not allowed. */
  isLeft: boolean;
};

/** Like a generator that yields from each, at a fraction of what that takes for each candidate. */
const oneAfterOther = (
  parts: readonly (() => Iterator<Candidate>)[],
): IterableIterator<Candidate> => {
  const waiting = [...parts];
  let current = waiting.shift()?.();
  const iterator: IterableIterator<Candidate> = {
    next: () => {
      for (; current !== undefined; current = waiting.shift()?.()) {
        const next = current.next();
        if (next.done !== true) return next;
      }
      return { done: true, value: undefined };
    },
    [Symbol.iterator]: () => iterator,
  };
  return iterator;
};

const narrowSets = ({ selection, only }: Wish): readonly NumberSet[] | undefined => {
  let least = narrowest(selection);
  for (const sets of only) {
    if (least === undefined || sizeOf(sets) < sizeOf(least)) least = sets;
  }
  return least;
};

const isAllowed = ({ selection, only, except }: Wish, n: number): boolean =>
  except?.has(n) !== true &&
  only.every((sets) => sets.some((set) => set.has(n))) &&
  isWithin(selection, n);

/** Providers of the claim that is not counted: free for it, though their class says otherwise. */
const ignoredProviders = ({ index, question }: Wish): readonly Iterable<number>[] =>
  question.ignoreClaimUid === undefined ? [] : [index.heldBy(question.ignoreClaimUid)];

type Source = {
  readonly members: NumberSet;
  readonly score: number;
  /** Fewer capabilities first: what is special is kept for those who ask for it. */
  readonly surplus: number;
  readonly order: number;
};

function* fromClasses(wish: Wish, walk: Walk): Generator<Candidate> {
  const { passed } = walk;
  let misses = 0;
  const { index, question, spent } = wish;
  const seedHash = shuffleKey(wish.seed, '');
  const { best, count } = bestSource(wish, seedHash);
  spent.looks += count * FRESH_LOOKS;
  let others: readonly Source[] = [];
  for (let at = 0; at < count; at += 1) {
    // Most requests need the best alone; the rest is listed when it is asked for.
    if (at === 1) others = otherSources(wish, seedHash, best);
    const source = at === 0 ? best : others[at - 1];
    if (source === undefined) break;
    const { members: those, score: its } = source;
    // Begin anywhere, so that a rack does not fill up before the next one is looked at.
    const start = shuffleNumber(seedHash, at) % Math.max(1, index.width());
    let isRound = false;
    for (let n = those.next(start); ; n = those.next(n + 1)) {
      if (n < 0 && !isRound) [n, isRound] = [those.next(0), true];
      if (n < 0 || (isRound && n >= start)) break;
      spent.looks += PASSED_LOOKS;
      if (!isAllowed(wish, n)) {
        misses += 1;
        if (misses <= walk.missesMax) continue;
        walk.isLeft = true;
        return;
      }
      misses = 0;
      const member = index.member(n);
      passed.add(n);
      spent.looks += FRESH_LOOKS;
      const { vacancy } =
        member.booked === undefined
          ? freshOf(wish, member)
          : { vacancy: vacancyOf(index, member, question) };
      yield { member, vacancy, score: its, order: passed.size };
    }
  }
}

const bestFirst = (a: Source, b: Source): number =>
  b.score - a.score || a.surplus - b.surplus || a.order - b.order;

type Numbered = {
  readonly shape: Shape;
  /** undefined = the providers of which nothing is held. */
  readonly load: LoadClass | undefined;
  readonly at: number;
};

type VisitClass = (numbered: Numbered, score: number) => void;

/** Visits the classes of providers that have room and that score; tells how many have room. */
const everyClass = (wish: Wish, least: { readonly score: number }, visit: VisitClass): number => {
  const { shapes, wantsWhole } = wish.selection;
  const classesOf = roomyClassesOf(wish.index, wish);
  let count = 0;
  for (const shape of shapes) {
    const isFree = shape.free.size > 0;
    if (!isFree && (wantsWhole || shape.loads.size === 0)) continue;
    const { freshScore, loads, scores } = classesOf(shape);
    if (isFree) {
      if (freshScore >= least.score) visit({ shape, load: undefined, at: count }, freshScore);
      count += 1;
    }
    for (let at = 0; at < loads.length; at += 1) {
      const load = loads[at];
      if (load === undefined || load.members.size === 0) continue;
      const score = scores[at] ?? 0;
      if (score >= least.score) visit({ shape, load, at: count }, score);
      count += 1;
    }
  }
  return count;
};

const sourceOf = (
  { ranking }: Wish,
  { shape, load, at }: Numbered,
  { score, seedHash }: { readonly score: number; readonly seedHash: number },
): Source => ({
  members: load?.members ?? shape.free,
  score,
  surplus: ranking === 'pack' ? shape.capabilities.size + shape.codes.length : 0,
  order: shuffleNumber(seedHash, shape.id * 4_099 + at),
});

/** Nothing is made for those that are worse. */
const bestSource = (wish: Wish, seedHash: number) => {
  const least = { score: -Infinity };
  let best: Source | undefined;
  const count = everyClass(wish, least, (numbered, score) => {
    const source = sourceOf(wish, numbered, { score, seedHash });
    if (best !== undefined && bestFirst(source, best) >= 0) return;
    best = source;
    least.score = score;
  });
  return { best, count };
};

/** All but the best, in their order. */
const otherSources = (wish: Wish, seedHash: number, best: Source | undefined): Source[] => {
  const sources: Source[] = [];
  everyClass(wish, { score: -Infinity }, (numbered, score) => {
    const source = sourceOf(wish, numbered, { score, seedHash });
    if (source.members !== best?.members) sources.push(source);
  });
  return sources.sort(bestFirst);
};

/** Those of the sets that fit, looked at one by one, best first. */
function* judged(
  wish: Wish,
  sets: readonly Iterable<number>[],
  passed: ReadonlySet<number> = NONE,
): Generator<Candidate> {
  const { index, spent } = wish;
  const seedHash = shuffleKey(wish.seed, '');
  const found: Candidate[] = [];
  const seen = sets.length > 1 ? new Set<number>() : undefined;
  const looksMax = Math.min(spent.looksMax, spent.looks + wish.share);
  for (const set of sets) {
    for (const n of set) {
      if (spent.looks > looksMax) {
        spent.isCut = true;
        break;
      }
      if (passed.has(n) || seen?.has(n) === true || !index.open.has(n)) continue;
      const candidate = judge(wish, index.member(n), seedHash);
      if (candidate === undefined) continue;
      found.push(candidate);
      seen?.add(n);
    }
  }
  const best = found.reduce((one: Candidate | undefined, other) => better(one, other), undefined);
  if (best === undefined) return;
  yield best;
  // Most requests need the best alone here too.
  found.sort(byRank);
  for (const candidate of found) if (candidate !== best) yield candidate;
}

const byRank = (a: Candidate, b: Candidate): number => b.score - a.score || a.order - b.order;

const better = (one: Candidate | undefined, other: Candidate): Candidate =>
  one === undefined || byRank(other, one) < 0 ? other : one;

const NONE: ReadonlySet<number> = new Set();

/** The provider as a candidate; undefined = it cannot answer the wish. */
export const judgeMember = (wish: Wish, member: Member): Candidate | undefined =>
  wish.index.open.has(member.n) ? judge(wish, member, shuffleKey(wish.seed, '')) : undefined;

const judge = (wish: Wish, member: Member, seedHash: number): Candidate | undefined => {
  const { index, selection, question, ranking, spent } = wish;
  const { n, shape, booked } = member;
  spent.looks += PASSED_LOOKS;
  if (!selection.shapes.has(shape) || !isAllowed(wish, n)) return undefined;
  const order = shuffleNumber(seedHash, n);
  if (booked === undefined) return { member, ...freshOf(wish, member), order };
  spent.looks += HELD_LOOKS + holdsIn(booked) * HOLD_LOOKS;
  if (selection.wantsWhole && !isIdle(index, member, question)) return undefined;
  spent.looks += VACANCY_LOOKS;
  const vacancy = vacancyOf(index, member, question);
  if (lackingIn(shape, vacancy, selection.resources).length > 0) return undefined;
  const loads = selection.resources.map(({ resourceType }) => ({
    usable: shape.offers.get(resourceType)?.usable ?? 0,
    free: vacancy.free(resourceType),
  }));
  const score = SCORERS[ranking].score(freeShare(loads));
  return { member, vacancy, score, order };
};

const holdsIn = ({ own, above, below }: Booked): number =>
  own.length + (above?.length ?? 0) + (below?.length ?? 0);

/** Of a shape that offers what is asked for, whatever nobody holds has it. */
const freshOf = ({ index, selection, question, ranking, spent, fresh }: Wish, member: Member) => {
  spent.looks += FRESH_LOOKS;
  const { shape } = member;
  const known = fresh.get(shape) ?? {
    vacancy: vacancyOf(index, member, question),
    score: freshScoreOf(shape, selection.resources, ranking),
  };
  fresh.set(shape, known);
  return known;
};
