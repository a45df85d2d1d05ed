/** Bounds that end a search before it begins, or before it tries what cannot be finished. */
import type { Task } from './best.ts';
import { isSpent } from './budget.ts';
import type { Run, Slot } from './slot.ts';

/** Whether each run would fit were it alone; most refusals end here. True when nobody knows. */
export const canAllFit = (task: Task): boolean =>
  task.runs.every((run) => hasRoom(task, run, task.spec.count) && hasPlaces(task, run));

/** Once a provider has failed, whether the others can hold the rest of the group at all. */
export const canFinish = (task: Task, { run, index }: Slot): boolean =>
  run.failed.size === 0 || hasRoom(task, run, task.spec.count - index);

const hasRoom = ({ tally, budget }: Task, run: Run, wanted: number): boolean => {
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

/**
 * Whether the groups over which a claim is spread can take its count. Each of the `count` indices
 * has a placement of the run, and that is in one group of the kind at least, because a provider in
 * none is not taken. A group holds at most `maxPerGroup` indices, and of the run no more than there
 * is room on its members. So the count is no more than the sum over the groups of the smaller of
 * both, also where a provider is in several groups and counts in each.
 */
const hasPlaces = ({ spec, bins, tally, budget }: Task, run: Run): boolean => {
  const max = spec.spread?.maxPerGroup ?? 0;
  if (bins === undefined || max === 0) return true;
  if (bins.all.length * max < spec.count) return false;
  let wanted = spec.count;
  for (const bin of bins.all) {
    if (wanted <= 0 || isSpent(budget)) return true;
    const stream = run.restricted(bin.sets);
    let room = 0;
    for (let place = 0; room < max; place += 1) {
      const candidate = stream.at(place);
      if (candidate === undefined) break;
      budget.looks += 1;
      room += tally.room(candidate, run.take, max - room);
    }
    if (room === 0) run.barren.add(bin);
    wanted -= Math.min(room, max);
  }
  return wanted <= 0;
};
