/**
 * The best provider for one slot beside what is chosen already. What has nothing for a slot has
 * nothing for those after it in its run either, as long as what was chosen before stays: so a
 * search goes on where it stopped.
 */
import { type Budget, isSpent } from './budget.ts';
import type { Candidate } from './candidate.ts';
import type { ClaimSpec } from './claim.ts';
import type { NumberSet } from './number-set.ts';
import { SCORERS } from './ranking-scorers.ts';
import type { Relations } from './relations.ts';
import { freeShare } from './scorer.ts';
import type { Run, Slot } from './slot.ts';
import type { Bin, Bins } from './spread-bins.ts';
import type { Stream } from './stream.ts';
import type { Scored, Tally, Used } from './tally.ts';
import type { TwinKey } from './twins.ts';

/** What a search works with. */
export type Task = {
  readonly spec: Pick<ClaimSpec, 'ranking' | 'count' | 'spread' | 'groups'>;
  /** Of the claim, group by group or resource by resource. */
  readonly runs: readonly Run[];
  readonly relations: Relations;
  readonly tally: Tally;
  readonly bins: Bins | undefined;
  readonly twinKey: TwinKey;
  readonly budget: Budget;
};

export type Frame = {
  readonly slot: Slot;
  chosen: Candidate | undefined;
  /** What failed here; the run keeps it for the rest while this frame stands. */
  readonly failed: Set<number>;
  readonly failedTwins: Set<number>;
  /** Bins that have nothing for it; kept like what failed. */
  readonly emptied: Set<Bin>;
  /** Where it must be because of what was chosen before; undefined = anywhere. */
  readonly narrowed: Stream | undefined;
  /** Places of each stream before this one have nothing for it. */
  readonly passed: Map<Stream, number>;
  /** Of its run, before this frame. */
  readonly passedBefore: number;
};

export const openFrame = ({ relations }: Task, slot: Slot): Frame => {
  const { run } = slot;
  const narrow = relations.narrow(slot);
  return {
    slot,
    chosen: undefined,
    failed: new Set(),
    failedTwins: new Set(),
    emptied: new Set(),
    narrowed: narrow === undefined ? undefined : run.restricted(narrow),
    passed: new Map([[run.stream, run.passed]]),
    passedBefore: run.passed,
  };
};

/** undefined = there is none, or the budget is spent. */
export const best = (task: Task, frame: Frame): Candidate | undefined => {
  const { bins, budget } = task;
  const { run } = frame.slot;
  if (frame.narrowed !== undefined) return bestIn(task, frame, { stream: frame.narrowed });
  if (bins === undefined) return bestIn(task, frame, { stream: run.stream });
  for (const bin of binsFor(task, bins, frame)) {
    if (isSpent(budget)) return undefined;
    const stream = run.restricted(bin.sets);
    const found = bestIn(task, frame, { stream, within: bin.members });
    if (found !== undefined) return found;
    if (stream.at(0) === undefined) run.barren.add(bin);
    else leaveOut(frame, bin);
  }
  return bins.holdAll ? undefined : bestIn(task, frame, { stream: run.stream });
};

/** What it takes, in looks, to pass by a bin, and to see that it is none of those left out. */
const BIN_LOOKS = 0.25;
const LEFT_OUT_LOOKS = 1;

function* binsFor(
  { relations, budget, spec, runs }: Task,
  bins: Bins,
  { slot, emptied }: Frame,
): Generator<Bin> {
  const { run, index } = slot;
  const leftOut = [run.barren, run.emptied, emptied].filter(({ size }) => size > 0);
  const isLeftOut = (bin: Bin): boolean => leftOut.some((those) => those.has(bin));
  const walkLooks = bins.all.length * (BIN_LOOKS + leftOut.length * LEFT_OUT_LOOKS);
  budget.looks += walkLooks;
  // Where places are scarce, what is of one index shares one.
  const places = bins.all.length * (spec.spread?.maxPerGroup ?? 0);
  if (places > 0 && places < spec.count * runs.length) {
    for (const id of relations.groupsAt(index)) {
      const bin = bins.find(id);
      if (bin !== undefined && !isLeftOut(bin)) yield bin;
    }
  }
  let isFirst = true;
  for (const bin of bins.inOrder(isLeftOut)) {
    yield bin;
    // What comes after the first is sorted once.
    if (isFirst) budget.looks += walkLooks;
    isFirst = false;
  }
}

const leaveOut = ({ slot, emptied }: Frame, bin: Bin): void => {
  emptied.add(bin);
  if (slot.carries) slot.run.emptied.add(bin);
};

type Where = { readonly stream: Stream; readonly within?: NumberSet };

/**
 * Of those that the plan uses already their score has changed, of the others the first in the order
 * of the beginning is the best.
 */
const bestIn = (task: Task, frame: Frame, where: Where): Candidate | undefined => {
  const used = frame.slot.run.take.wantsWhole ? undefined : bestUsed(task, frame, where.within);
  const unused = firstUnused(task, frame, where.stream);
  if (used === undefined || unused === undefined) return used?.candidate ?? unused;
  return isBetter({ candidate: unused, score: unused.score }, used) ? unused : used.candidate;
};

const isBetter = (a: Scored, b: Scored): boolean =>
  a.score > b.score || (a.score === b.score && a.candidate.order < b.candidate.order);

/** What it takes, in looks, to pass by a used provider, and to judge it anew. */
const USED_LOOKS = 0.5;
const SCORE_LOOKS = 8;

const bestUsed = (
  task: Task,
  { slot, failed }: Frame,
  within: NumberSet | undefined,
): Scored | undefined => {
  const { tally, relations, budget } = task;
  let found: Scored | undefined;
  for (const used of tally.used()) {
    budget.looks += USED_LOOKS;
    const { n } = used.candidate.member;
    if (within !== undefined && !within.has(n)) continue;
    // What the plan takes of it makes it unlike its twins.
    if (slot.run.failed.has(n) || failed.has(n)) continue;
    const scored = scoreOf(task, slot.run, used);
    if (scored === null || (found !== undefined && !isBetter(scored, found))) continue;
    if (relations.allows(slot, scored.candidate)) found = scored;
  }
  return found;
};

/** null = it has no room. */
const scoreOf = (
  { tally, spec, budget }: Task,
  run: Run,
  { candidate: { member }, scores }: Used,
): Scored | null => {
  const known = scores?.[run.number];
  if (known !== undefined) return known;
  budget.looks += SCORE_LOOKS;
  const candidate = run.candidate(member);
  const fits = candidate !== undefined && tally.room(candidate, run.take, 1) > 0;
  const scored = fits
    ? {
        candidate,
        score: SCORERS[spec.ranking].score(freeShare(tally.loadsOf(candidate, run.take))),
      }
    : null;
  if (scores !== undefined) scores[run.number] = scored;
  return scored;
};

/** What finding its twins takes, in looks. */
const TWIN_LOOKS = 4;

const firstUnused = (
  task: Task,
  { slot, failed, failedTwins, passed }: Frame,
  stream: Stream,
): Candidate | undefined => {
  const { tally, relations, budget, twinKey } = task;
  const { run, carries } = slot;
  /** What is chosen keeps out the twins of whom it keeps out. */
  const keptOut = new Set<number>();
  const isBarred = ({ member }: Candidate): boolean => {
    if (run.failedTwins.size + failedTwins.size + keptOut.size === 0) return false;
    budget.looks += TWIN_LOOKS;
    const twins = twinKey(member);
    if (twins === undefined) return false;
    return run.failedTwins.has(twins) || failedTwins.has(twins) || keptOut.has(twins);
  };
  /** What is used or full stays so for the whole run, what failed or is kept out for this slot. */
  const from = passed.get(stream) ?? 0;
  let isForAll = stream === run.stream && (carries || from === run.passed);
  for (let place = from; ; place += 1) {
    passed.set(stream, place);
    if (isForAll) run.passed = place;
    const candidate = stream.at(place);
    if (candidate === undefined) return undefined;
    budget.looks += 1;
    const { member } = candidate;
    if (tally.isUsed(member.n) || run.failed.has(member.n)) continue;
    budget.looks += 1;
    if (tally.room(candidate, run.take, 1) === 0) continue;
    isForAll &&= carries;
    if (failed.has(member.n) || isBarred(candidate)) continue;
    if (relations.allows(slot, candidate)) return candidate;
    const twins = twinKey(member);
    if (twins !== undefined) keptOut.add(twins);
  }
};
