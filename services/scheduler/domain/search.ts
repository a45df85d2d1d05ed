/**
 * Chooses a provider for every slot of a claim, all or nothing: depth first with backtracking.
 * Within its budget of expansions it is complete; beyond it the answer is that nobody knows, never
 * that nothing fits.
 *
 * Slots of one run are alike. When one of them fails on a provider, none of the rest of the run
 * needs to try that provider at the same depth or below: whatever solution had it there would also
 * have it here. The same holds for its twins, providers that differ in nothing but their number.
 */
import { type Candidate, SCORERS } from './candidate.ts';
import type { ClaimSpec } from './claim.ts';
import type { NumberSet } from './number-set.ts';
import type { Relations } from './relations.ts';
import type { Chosen, Run, Slot } from './slot.ts';
import type { Bin, Bins } from './spread-bins.ts';
import type { Stream } from './stream.ts';
import type { Tally } from './tally.ts';
import type { TwinKey } from './twins.ts';

export type Search = {
  readonly spec: Pick<ClaimSpec, 'ranking' | 'count'>;
  readonly slots: readonly Slot[];
  readonly relations: Relations;
  readonly tally: Tally;
  readonly bins: Bins | undefined;
  readonly twinKey: TwinKey;
  readonly budget: Budget;
};

/** Shared by all searches of one request. */
export type Budget = { expansions: number; looks: number; readonly expansionsMax: number };

export type Found =
  | { readonly kind: 'placed'; readonly chosen: readonly Chosen[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'gave-up'; readonly expansions: number };

/** Comparisons of providers for one expansion allowed; a claim of many placements ends by it. */
const LOOKS_PER_EXPANSION = 200;

type Frame = {
  readonly slot: Slot;
  chosen: Candidate | undefined;
  /** What failed here; the run keeps it for the rest while this frame stands. */
  readonly failed: Set<number>;
  readonly failedTwins: Set<string>;
  /** Valid while what was chosen before stays. */
  narrowed: { readonly stream: Stream } | undefined;
};

export const search = (task: Search): Found => {
  const { slots, tally, bins, budget } = task;
  const frames: Frame[] = [];
  const chosen: Chosen[] = [];
  if (!canAllFit(task)) return { kind: 'none' };
  for (;;) {
    const top = frames.at(-1);
    if (top?.chosen !== undefined && frames.length === slots.length) {
      return { kind: 'placed', chosen };
    }
    const frame = top === undefined || top.chosen !== undefined ? open(frames, slots) : top;
    budget.expansions += 1;
    const next = best(task, frame, chosen);
    if (isSpent(budget)) return { kind: 'gave-up', expansions: budget.expansions };
    if (next !== undefined && canFinish(task, frame)) {
      frame.chosen = next;
      tally.add(next, frame.slot.run.take);
      bins?.add(next);
      chosen.push({ slot: frame.slot, candidate: next });
    } else if (!retreat(task, frames, chosen)) {
      return { kind: 'none' };
    }
  }
};

const isSpent = ({ expansions, looks, expansionsMax }: Budget): boolean =>
  expansions > expansionsMax || looks > expansionsMax * LOOKS_PER_EXPANSION;

/** Whether each run would fit were it alone; most refusals end here. */
const canAllFit = (task: Search): boolean => {
  const runs = new Set(task.slots.map(({ run }) => run));
  return [...runs].every((run) => hasRoom(task, run, task.spec.count));
};

const open = (frames: Frame[], slots: readonly Slot[]): Frame => {
  const slot = slots[frames.length];
  if (slot === undefined) throw new Error('The search went beyond its last slot');
  const frame: Frame = {
    slot,
    chosen: undefined,
    failed: new Set(),
    failedTwins: new Set(),
    narrowed: undefined,
  };
  frames.push(frame);
  return frame;
};

const best = (task: Search, frame: Frame, chosen: readonly Chosen[]): Candidate | undefined => {
  const { relations, bins } = task;
  const { run } = frame.slot;
  const narrow = relations.exist ? relations.narrow(chosen, frame.slot) : undefined;
  if (narrow !== undefined) {
    frame.narrowed ??= { stream: run.restricted(narrow) };
    return bestIn(task, { frame, chosen, stream: frame.narrowed.stream, within: undefined });
  }
  if (bins === undefined) {
    return bestIn(task, { frame, chosen, stream: run.stream, within: undefined });
  }
  const tried = new Set<Bin>();
  for (let bin = bins.next(tried); bin !== undefined; bin = bins.next(tried)) {
    tried.add(bin);
    const stream = run.restricted([bin.members]);
    const found = bestIn(task, { frame, chosen, stream, within: bin.members });
    if (found !== undefined) return found;
  }
  return bestIn(task, { frame, chosen, stream: run.stream, within: undefined });
};

type Look = {
  readonly frame: Frame;
  readonly chosen: readonly Chosen[];
  readonly stream: Stream;
  readonly within: NumberSet | undefined;
};

/**
 * The best that still fits: of those that the plan uses already their score has changed, of the
 * others the first in the order of the beginning is the best.
 */
const bestIn = (task: Search, { frame, chosen, stream, within }: Look): Candidate | undefined => {
  const { tally, relations, budget, spec } = task;
  const { slot, failed, failedTwins } = frame;
  const { run } = slot;
  const hasFailed = ({ member }: Candidate): boolean =>
    run.failed.has(member.n) || failed.has(member.n);
  const hasFailedTwin = ({ member }: Candidate): boolean => {
    if (run.failedTwins.size + failedTwins.size === 0) return false;
    const twins = task.twinKey(member);
    return twins !== undefined && (run.failedTwins.has(twins) || failedTwins.has(twins));
  };
  const scorer = SCORERS[spec.ranking];
  let found: Candidate | undefined;
  let foundScore = 0;
  const offer = (candidate: Candidate, score: number): void => {
    const isBetter =
      found === undefined ||
      score > foundScore ||
      (score === foundScore && candidate.order < found.order);
    if (isBetter) [found, foundScore] = [candidate, score];
  };
  if (!run.take.wantsWhole) {
    for (const { member } of tally.used()) {
      budget.looks += 1;
      if (within !== undefined && !within.has(member.n)) continue;
      const own = run.candidate(member);
      // What the plan takes of it makes it unlike its twins.
      if (own === undefined || hasFailed(own) || tally.room(own, run.take, 1) === 0) continue;
      if (!relations.allows(chosen, slot, own)) continue;
      offer(own, scorer.score(tally.loadsOf(own, run.take)));
    }
  }
  for (let place = 0; ; place += 1) {
    const candidate = stream.at(place);
    if (candidate === undefined) return found;
    budget.looks += 1;
    if (tally.isUsed(candidate.member.n)) continue;
    if (hasFailed(candidate) || hasFailedTwin(candidate)) continue;
    if (tally.room(candidate, run.take, 1) === 0) continue;
    if (!relations.allows(chosen, slot, candidate)) continue;
    offer(candidate, candidate.score);
    return found;
  }
};

/** Once a provider has failed, whether the others can hold the rest of the group at all. */
const canFinish = (task: Search, { slot }: Frame): boolean =>
  slot.run.failed.size === 0 || hasRoom(task, slot.run, task.spec.count - slot.index);

const hasRoom = ({ tally, budget }: Search, run: Run, wanted: number): boolean => {
  const most = run.take.isolatedFrom.has(run.take.position) ? 1 : wanted;
  let room = 0;
  for (let place = 0; room < wanted; place += 1) {
    const candidate = run.stream.at(place);
    if (candidate === undefined) return false;
    budget.looks += 1;
    if (!run.failed.has(candidate.member.n)) room += tally.room(candidate, run.take, most);
  }
  return true;
};

/** Takes back the last choice; false when there is none left. */
const retreat = (task: Search, frames: Frame[], chosen: Chosen[]): boolean => {
  const { tally, bins, twinKey } = task;
  const spent = frames.pop();
  if (spent?.slot.carries === true) {
    for (const n of spent.failed) spent.slot.run.failed.delete(n);
    for (const twins of spent.failedTwins) spent.slot.run.failedTwins.delete(twins);
  }
  const last = frames.at(-1);
  if (last?.chosen === undefined) return false;
  const { chosen: candidate, slot } = last;
  tally.remove(candidate, slot.run.take);
  bins?.remove(candidate);
  chosen.pop();
  const isUnlike = tally.isUsed(candidate.member.n);
  fail(last, candidate.member.n, isUnlike ? undefined : twinKey(candidate.member));
  last.chosen = undefined;
  return true;
};

const fail = ({ slot, failed, failedTwins }: Frame, n: number, twins: string | undefined): void => {
  failed.add(n);
  if (twins !== undefined) failedTwins.add(twins);
  if (!slot.carries) return;
  slot.run.failed.add(n);
  if (twins !== undefined) slot.run.failedTwins.add(twins);
};
