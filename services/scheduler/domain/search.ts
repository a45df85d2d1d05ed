/**
 * Chooses a provider for every slot of a claim, all or nothing: depth first with backtracking.
 * Within its budget of expansions it is complete; beyond it the answer is that nobody knows, never
 * that nothing fits.
 *
 * Slots of one run are alike. When one of them fails on a provider, none of the rest of the run
 * needs to try that provider at the same depth or below: whatever solution had it there would also
 * have it here. The same holds for its twins, providers that differ in nothing but their number.
 *
 * What cannot be placed late may depend on what was chosen early, with much between them that is
 * tried in vain. So after some conflicts a search begins anew, with those first that had most.
 */
import { best, type Frame, openFrame, type Task } from './best.ts';
import { isSpent } from './budget.ts';
import { canAllFit, canFinish } from './can-all-fit.ts';
import { byConflicts } from './run-order.ts';
import { type Chosen, type Slot, slotsOf } from './slot.ts';

export type Search = Task & { readonly slots: readonly Slot[] };

export type Found =
  | { readonly kind: 'placed'; readonly chosen: readonly Chosen[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'gave-up'; readonly expansions: number };

/** Conflicts after which a search begins anew for the first time; then after twice as many. */
const CONFLICTS_FIRST = 256;

export const search = (task: Search): Found => {
  if (!canAllFit(task)) return { kind: 'none' };
  let { runs, slots } = task;
  for (let conflictsMax = CONFLICTS_FIRST; ; conflictsMax *= 2) {
    const found = attempt({ ...task, slots }, conflictsMax);
    if (found.kind !== 'stuck') return found;
    const before = runs;
    runs = byConflicts(before);
    slots = slotsOf(runs, task.spec);
    if (runs.every((run, at) => run === before[at])) conflictsMax = Infinity;
  }
};

/** All is as before where it is stuck. */
const attempt = (task: Search, conflictsMax: number): Found | { readonly kind: 'stuck' } => {
  const { slots, budget } = task;
  const frames: Frame[] = [];
  const chosen: Chosen[] = [];
  let conflicts = 0;
  for (;;) {
    const top = frames.at(-1);
    if (top?.chosen !== undefined && frames.length === slots.length) {
      return { kind: 'placed', chosen };
    }
    const frame = top === undefined || top.chosen !== undefined ? open(task, frames) : top;
    budget.expansions += 1;
    const next = best(task, frame);
    const isKept = next !== undefined && canFinish(task, frame.slot);
    if (isSpent(budget)) return { kind: 'gave-up', expansions: budget.expansions };
    if (isKept) {
      frame.chosen = next;
      const one = { slot: frame.slot, candidate: next };
      task.tally.add(next, frame.slot.run.take);
      task.relations.add(one);
      task.bins?.add(next);
      chosen.push(one);
    } else {
      conflicts += 1;
      frame.slot.run.conflicts += 1;
      if (!retreat(task, frames, chosen)) return { kind: 'none' };
      if (conflicts < conflictsMax) continue;
      for (let isLeft = true; isLeft; ) isLeft = retreat(task, frames, chosen);
      return { kind: 'stuck' };
    }
  }
};

const open = (task: Search, frames: Frame[]): Frame => {
  const slot = task.slots[frames.length];
  if (slot === undefined) throw new Error('The search went beyond its last slot');
  const frame = openFrame(task, slot);
  frames.push(frame);
  return frame;
};

/** Takes back the last choice; false when there is none left. */
const retreat = (task: Search, frames: Frame[], chosen: Chosen[]): boolean => {
  const { tally, relations, bins, twinKey } = task;
  const spent = frames.pop();
  if (spent !== undefined) forget(spent);
  const last = frames.at(-1);
  const one = chosen.pop();
  if (last === undefined || one === undefined) return false;
  const { candidate, slot } = one;
  tally.remove(candidate, slot.run.take);
  relations.remove(one);
  bins?.remove(candidate);
  const isUnlike = tally.isUsed(candidate.member.n);
  fail(last, candidate.member.n, isUnlike ? undefined : twinKey(candidate.member));
  last.chosen = undefined;
  return true;
};

/** What the run learned while the frame stood is not so any more. */
const forget = ({ slot, failed, failedTwins, emptied, passedBefore }: Frame): void => {
  const { run } = slot;
  run.passed = passedBefore;
  if (!slot.carries) return;
  for (const n of failed) run.failed.delete(n);
  for (const twins of failedTwins) run.failedTwins.delete(twins);
  for (const bin of emptied) run.emptied.delete(bin);
};

const fail = ({ slot, failed, failedTwins }: Frame, n: number, twins: number | undefined): void => {
  failed.add(n);
  if (twins !== undefined) failedTwins.add(twins);
  if (!slot.carries) return;
  slot.run.failed.add(n);
  if (twins !== undefined) slot.run.failedTwins.add(twins);
};
