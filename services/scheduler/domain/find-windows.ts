/**
 * When a request would fit. What is free of a provider changes only where a claim begins or ends,
 * so for each provider there are spans of begins at which it can answer; a sweep over their ends
 * counts at every instant how many can. Requests whose parts depend on each other are placed for
 * real at the instants where something changes.
 */
import { type Budget, createBudget, isUsedUp, spendPart } from './budget.ts';
import type { Interval } from './hold.ts';
import { findPlace, type PlaceRequest, prepare } from './place.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { isWithin } from './selection.ts';
import type { Shape } from './shape.ts';
import type { Run } from './slot.ts';
import { someHold, turnaroundOf } from './turnaround.ts';
import { wholeWindows } from './whole-windows.ts';
import { roomAt } from './window-room.ts';

export type WindowQuestion = {
  readonly durationMs: number;
  readonly earliestMs: number;
  /** Of the end. */
  readonly latestMs: number;
  readonly limit: number;
};

export type FoundWindow = {
  readonly beginMs: number;
  readonly latestBeginMs: number;
  /** Providers that can answer at the earliest begin, for the group that finds the fewest. */
  readonly providers: number;
};

/** Instants at which a request whose parts depend on each other is tried. */
const TRIES_MAX = 200;
/** Steps that one of them may take, and all together. */
const TRY_EXPANSIONS = 10_000;
const TRIES_EXPANSIONS = 50_000;

/** Fewer than there are where the budget is spent. */
export const findWindows = (
  index: ProviderIndex,
  request: PlaceRequest,
  question: WindowQuestion,
  budget: Budget = createBudget(TRIES_EXPANSIONS),
): readonly FoundWindow[] => {
  const lastBeginMs = question.latestMs - question.durationMs;
  if (lastBeginMs < question.earliestMs) return [];
  const range = { fromMs: question.earliestMs, toMs: lastBeginMs };
  const { runs, isSimple } = prepare(index, request);
  const sweeps = runs.map((run) => spansOf(index, run, { request, question, range }));
  const spans = sweeps.reduce((both, one) => intersect(both, one));
  if (isSimple) return spans.slice(0, question.limit);
  const edges = edgesOf(index, runs, question);
  return tried(index, { request, question, spans, edges, budget });
};

type Sweep = {
  readonly request: PlaceRequest;
  readonly question: WindowQuestion;
  readonly range: Interval;
};

/** Spans of begins in which enough providers can answer one run. */
const spansOf = (index: ProviderIndex, run: Run, sweep: Sweep): readonly FoundWindow[] => {
  const { request, question, range } = sweep;
  const wanted = request.spec.count;
  if (run.take.wantsWhole) {
    const { durationMs } = question;
    const { ignoreClaimUid } = request;
    return wholeWindows(index, { run, wanted, range, durationMs, ignoreClaimUid });
  }
  const isApart = run.take.isolatedFrom.has(run.take.position);
  const changes: Change[] = [];
  let always = 0;
  let alwaysProviders = 0;
  const most = isApart ? 1 : wanted;
  const untouched = new Map<Shape, number>();
  for (const member of membersOf(index, run)) {
    const { booked, shape } = member;
    const known = booked === undefined ? untouched.get(shape) : undefined;
    const rooms =
      known ?? roomAt(index, member, { run, request, most, range, ...durationOf(question) });
    if (typeof rooms !== 'number') {
      for (const { atMs, room, by } of rooms) changes.push({ atMs, room, providers: by });
      continue;
    }
    if (booked === undefined) untouched.set(shape, rooms);
    always += rooms;
    if (rooms > 0) alwaysProviders += 1;
  }
  changes.sort((a, b) => a.atMs - b.atMs);
  return sweepOver(changes, { range, wanted, always, alwaysProviders });
};

const durationOf = ({ durationMs }: WindowQuestion) => ({ durationMs });

type Change = { readonly atMs: number; readonly room: number; readonly providers: number };

type Base = {
  readonly range: Interval;
  readonly wanted: number;
  readonly always: number;
  readonly alwaysProviders: number;
};

const sweepOver = (
  changes: readonly Change[],
  { range, wanted, always, alwaysProviders }: Base,
): readonly FoundWindow[] => {
  const found: FoundWindow[] = [];
  let room = always;
  let providers = alwaysProviders;
  let begin: { readonly beginMs: number; readonly providers: number } | undefined;
  let at = 0;
  let nowMs = range.fromMs;
  for (;;) {
    for (; at < changes.length && (changes[at]?.atMs ?? 0) <= nowMs; at += 1) {
      room += changes[at]?.room ?? 0;
      providers += changes[at]?.providers ?? 0;
    }
    const nextMs = Math.min(changes[at]?.atMs ?? Infinity, range.toMs + 1);
    if (room >= wanted) begin ??= { beginMs: nowMs, providers };
    else if (begin !== undefined) {
      found.push({ ...begin, latestBeginMs: nowMs - 1 });
      begin = undefined;
    }
    if (nextMs > range.toMs) break;
    nowMs = nextMs;
  }
  if (begin !== undefined) found.push({ ...begin, latestBeginMs: range.toMs });
  return found;
};

/** Open providers that meet everything but what is free. */
function* membersOf(index: ProviderIndex, { selection }: Run): Generator<Member> {
  for (const shape of selection.shapes) {
    for (const n of shape.members) {
      if (index.open.has(n) && isWithin(selection, n)) yield index.member(n);
    }
  }
}

const intersect = (
  a: readonly FoundWindow[],
  b: readonly FoundWindow[],
): readonly FoundWindow[] => {
  const found: FoundWindow[] = [];
  let [atA, atB] = [0, 0];
  for (;;) {
    const [one, other] = [a[atA], b[atB]];
    if (one === undefined || other === undefined) return found;
    const beginMs = Math.max(one.beginMs, other.beginMs);
    const latestBeginMs = Math.min(one.latestBeginMs, other.latestBeginMs);
    const providers = Math.min(one.providers, other.providers);
    if (beginMs <= latestBeginMs) found.push({ beginMs, latestBeginMs, providers });
    if (one.latestBeginMs < other.latestBeginMs) atA += 1;
    else atB += 1;
  }
};

/** Begins at which what is free of some provider changes. */
const edgesOf = (
  index: ProviderIndex,
  runs: readonly Run[],
  { durationMs }: WindowQuestion,
): Float64Array => {
  const edges = new Set<number>();
  for (const run of runs) {
    for (const member of membersOf(index, run)) {
      const cleaningMs = run.take.wantsWhole ? turnaroundOf(index, member) : 0;
      someHold(index, member, (hold, clearMs) => {
        edges.add(hold.fromMs - cleaningMs - durationMs + 1);
        if (clearMs !== Infinity) edges.add(clearMs);
        return false;
      });
    }
  }
  return Float64Array.from(edges).sort();
};

type Trial = {
  readonly request: PlaceRequest;
  readonly question: WindowQuestion;
  readonly spans: readonly FoundWindow[];
  /** In their order. */
  readonly edges: Float64Array;
  readonly budget: Budget;
};

/** Between two edges nothing changes: what fits at one of them fits up to the next. */
const tried = (index: ProviderIndex, trial: Trial): readonly FoundWindow[] => {
  const { request, question, spans, edges, budget } = trial;
  const found: FoundWindow[] = [];
  let tries = 0;
  for (const span of spans) {
    // One more than can be tried tells where the last of them ends.
    const first = firstBehind(edges, span.beginMs);
    const inside = [...edges.subarray(first, first + TRIES_MAX + 1)].filter(
      (at) => at <= span.latestBeginMs,
    );
    for (const [at, beginMs] of [span.beginMs, ...inside].entries()) {
      if (found.length >= question.limit || tries >= TRIES_MAX || isUsedUp(budget)) return found;
      tries += 1;
      const window = { fromMs: beginMs, toMs: beginMs + question.durationMs };
      const plan = spendPart(budget, TRY_EXPANSIONS, (part) =>
        findPlace(index, { ...request, window, budget: part }),
      );
      if (plan.kind !== 'placed') continue;
      const latestBeginMs = (inside[at] ?? span.latestBeginMs + 1) - 1;
      const last = found.at(-1);
      if (last !== undefined && last.latestBeginMs + 1 === beginMs) {
        found[found.length - 1] = { ...last, latestBeginMs };
      } else found.push({ beginMs, latestBeginMs, providers: plan.providers.length });
    }
  }
  return found;
};

/** Place of the first edge after the instant. */
const firstBehind = (edges: Float64Array, atMs: number): number => {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] ?? 0) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
};
