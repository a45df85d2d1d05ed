/**
 * When a request would fit. Each of its parts is swept for itself over the providers that it could
 * have, the narrowest first; those after it need only be swept where the others fit. Requests whose
 * parts depend on each other are placed for real at the instants where something changes.
 */
import { type Budget, createBudget, isUsedUp, type LimitedLooks, spendPart } from './budget.ts';
import type { Interval } from './hold.ts';
import { matching } from './matching.ts';
import { countBits, orBits } from './number-set.ts';
import { findPlace, type PlaceRequest, prepare } from './place.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Run } from './slot.ts';
import { type FoundWindow, sweepOver } from './sweep.ts';
import { someHold, turnaroundOf } from './turnaround.ts';
import { visit } from './visit.ts';

export type WindowQuestion = {
  readonly durationMs: number;
  readonly earliestMs: number;
  /** Of the end. */
  readonly latestMs: number;
  readonly limit: number;
  /** Only these begins, in their order, the last instant of each included; absent = any. */
  readonly begins?: readonly Interval[];
};

export type FoundWindows = {
  /** In their order. */
  readonly windows: readonly FoundWindow[];
  /** False when the budget was spent before everything was looked at: there may be more. */
  readonly isComplete: boolean;
};

/** Instants at which a request whose parts depend on each other is tried. */
const TRIES_MAX = 200;
/** Steps that one of them may take, and all together. */
const TRY_EXPANSIONS = 10_000;
const TRIES_EXPANSIONS = 50_000;
/** What one of them may look at of the fleet: nobody else is served before it ends. */
const TRY_LOOKS = 3_000_000;
/** About half a second. */
const SWEEPS_LOOKS = 12_000_000;

export type WindowBudget = {
  /** Of sweeps over the fleet. */
  readonly sweeps: LimitedLooks;
  /** Of one more, for the instants at which something changes. */
  readonly edges: LimitedLooks;
  /** Of placements that are tried. */
  readonly tries: Budget;
};

export const createWindowBudget = (
  tries = createBudget(TRIES_EXPANSIONS, TRY_LOOKS),
  looksMax = SWEEPS_LOOKS,
): WindowBudget => ({ sweeps: looksUpTo(looksMax), edges: looksUpTo(looksMax), tries });

const looksUpTo = (looksMax: number): LimitedLooks => ({ looks: 0, looksMax, isCut: false });

/** Pauses where others may be served; what changes meanwhile is seen or not. */
export function* findWindows(
  index: ProviderIndex,
  request: PlaceRequest,
  question: WindowQuestion,
  budget: WindowBudget = createWindowBudget(),
): Generator<void, FoundWindows> {
  const lastBeginMs = question.latestMs - question.durationMs;
  if (lastBeginMs < question.earliestMs) return { windows: [], isComplete: true };
  const { runs, isSimple } = prepare(index, request);
  const parts = partsOf(index, request, runs);
  const asked = { request, question, budget };
  const spans = yield* sweepAll(index, parts, asked);
  const isComplete = !budget.sweeps.isCut;
  if (isSimple) return { windows: spans.slice(0, question.limit), isComplete };
  if (spans.length === 0) return { windows: [], isComplete };
  const edges = yield* edgesOf(index, parts, { ...asked, within: outer(spans) });
  // Where it is not known when something changes, nothing is known of the time between two tries.
  if (budget.edges.isCut) return { windows: [], isComplete: false };
  return yield* tried(index, { ...asked, spans, edges });
}

type Asked = {
  readonly request: PlaceRequest;
  readonly question: WindowQuestion;
  readonly budget: WindowBudget;
};

/** Of the request, with the providers that meet everything but what is free. */
type Part = { readonly run: Run; readonly bits: Uint32Array };

/** Those with the fewest providers first; none twice. */
const partsOf = (
  index: ProviderIndex,
  { spec }: PlaceRequest,
  runs: readonly Run[],
): readonly Part[] => {
  const parts = new Map<string, Part[]>();
  for (const run of runs) {
    const { position, resources, isolatedFrom } = run.take;
    const key = JSON.stringify([resources, spec.count > 1 && isolatedFrom.has(position)]);
    const bits = matching(index, run.selection);
    const alike = parts.get(key) ?? [];
    parts.set(key, alike);
    if (!alike.some((one) => areEqual(one.bits, bits))) alike.push({ run, bits });
  }
  const sizes = new Map([...parts.values()].flat().map((part) => [part, countBits(part.bits)]));
  return [...sizes.keys()].sort((a, b) => (sizes.get(a) ?? 0) - (sizes.get(b) ?? 0));
};

const areEqual = (a: Uint32Array, b: Uint32Array): boolean => a.every((word, at) => word === b[at]);

/** Spans of begins at which each part for itself would fit. */
function* sweepAll(
  index: ProviderIndex,
  parts: readonly Part[],
  { request, question, budget }: Asked,
): Generator<void, readonly FoundWindow[]> {
  const { durationMs, earliestMs, latestMs } = question;
  const { sweeps: spent } = budget;
  const any = { fromMs: earliestMs, toMs: latestMs - durationMs };
  let spans: readonly FoundWindow[] = (question.begins ?? [any]).map(({ fromMs, toMs }) => ({
    beginMs: fromMs,
    latestBeginMs: toMs,
    providers: Infinity,
  }));
  for (const [at, { run, bits }] of parts.entries()) {
    if (spans.length === 0) return [];
    const found = yield* sweepOver(index, {
      run,
      bits,
      wanted: request.spec.count,
      range: outer(spans),
      durationMs,
      ignoreClaimUid: request.ignoreClaimUid,
      spent,
      share: (spent.looksMax - spent.looks) / (parts.length - at),
    });
    yield;
    spans = intersect(spans, found);
  }
  return spans;
}

const outer = (spans: readonly FoundWindow[]): Interval => ({
  fromMs: spans[0]?.beginMs ?? Infinity,
  toMs: spans.at(-1)?.latestBeginMs ?? -Infinity,
});

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

/** What looking at a hold takes, in looks. */
const HOLD_LOOKS = 3;

/** Begins at which what is free of some provider changes, in their order. */
function* edgesOf(
  index: ProviderIndex,
  parts: readonly Part[],
  { question, budget, within }: Asked & { readonly within: Interval },
): Generator<void, Float64Array> {
  const { edges: spent } = budget;
  const edges = new Set<number>();
  const add = (atMs: number): void => {
    if (atMs > within.fromMs && atMs <= within.toMs) edges.add(atMs);
  };
  for (const isWhole of [false, true]) {
    const those = parts.filter(({ run }) => run.take.wantsWhole === isWhole);
    const see = (member: Member): void => {
      const spanMs = question.durationMs + (isWhole ? turnaroundOf(index, member) : 0);
      someHold(index, member, (hold, clearMs) => {
        spent.looks += HOLD_LOOKS;
        add(hold.fromMs - spanMs + 1);
        add(clearMs);
        return false;
      });
    };
    const bits = orBits(those.map((part) => part.bits));
    yield* visit(index, { bits, spent, share: Infinity, see });
  }
  return Float64Array.from(edges).sort();
}

type Trial = Asked & {
  readonly spans: readonly FoundWindow[];
  /** In their order. */
  readonly edges: Float64Array;
};

/** Between two edges nothing changes: what fits at one of them fits up to the next. */
function* tried(index: ProviderIndex, trial: Trial): Generator<void, FoundWindows> {
  const { request, question, spans, edges, budget } = trial;
  const { limit, durationMs } = question;
  const found: FoundWindow[] = [];
  let tries = 0;
  let isComplete = !budget.sweeps.isCut;
  for (const span of spans) {
    // One more than can be tried tells where the last of them ends.
    const first = firstBehind(edges, span.beginMs);
    const inside = [...edges.subarray(first, first + TRIES_MAX + 1)].filter(
      (at) => at <= span.latestBeginMs,
    );
    for (const [at, beginMs] of [span.beginMs, ...inside].entries()) {
      if (found.length >= limit) return { windows: found, isComplete };
      if (tries >= TRIES_MAX || isUsedUp(budget.tries))
        return { windows: found, isComplete: false };
      if (tries > 0) yield;
      tries += 1;
      const window = { fromMs: beginMs, toMs: beginMs + durationMs };
      const plan = spendPart(budget.tries, TRY_EXPANSIONS, (part) =>
        findPlace(index, { ...request, window, budget: part }),
      );
      if (plan.kind === 'gave-up') isComplete = false;
      if (plan.kind !== 'placed') continue;
      const latestBeginMs = (inside[at] ?? span.latestBeginMs + 1) - 1;
      const last = found.at(-1);
      if (last !== undefined && last.latestBeginMs + 1 === beginMs) {
        found[found.length - 1] = { ...last, latestBeginMs };
      } else found.push({ beginMs, latestBeginMs, providers: plan.providers.length });
    }
  }
  return { windows: found, isComplete };
}

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
