/** How many placements a provider could take that want slices of it, by the begin of the window. */
import type { Interval } from './hold.ts';
import type { PlaceRequest } from './place.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Run } from './slot.ts';
import { createTally } from './tally.ts';
import { someHold } from './turnaround.ts';
import { questionOf, vacancyOf } from './vacancy.ts';

/** From `atMs` on so much more room, and so many more providers (1, 0 or -1). */
export type RoomChange = { readonly atMs: number; readonly room: number; readonly by: number };

type Question = {
  readonly run: Run;
  readonly request: PlaceRequest;
  readonly most: number;
  /** Of begins. */
  readonly range: Interval;
  readonly durationMs: number;
};

/** A number = the same at every begin. */
export const roomAt = (
  index: ProviderIndex,
  member: Member,
  question: Question,
): number | readonly RoomChange[] => {
  const { range, durationMs } = question;
  const { booked } = member;
  const roomFrom = (fromMs: number) => roomOf(index, member, { ...question, fromMs });
  if (booked === undefined) return roomFrom(range.fromMs);
  if (booked.timed === 0) return roomFrom(range.fromMs);
  const edges = new Set([range.fromMs]);
  someHold(index, member, (hold, clearMs) => {
    edges.add(hold.fromMs - durationMs + 1).add(clearMs);
    return false;
  });
  const changes: RoomChange[] = [];
  let before = 0;
  for (const atMs of [...edges].sort((a, b) => a - b)) {
    if (atMs < range.fromMs || atMs > range.toMs) continue;
    const room = roomFrom(atMs);
    if (room === before) continue;
    changes.push({ atMs, room: room - before, by: Math.sign(room) - Math.sign(before) });
    before = room;
  }
  return changes;
};

const roomOf = (
  index: ProviderIndex,
  member: Member,
  { run, request, most, durationMs, fromMs }: Question & { readonly fromMs: number },
): number => {
  const window = { fromMs, toMs: fromMs + durationMs };
  const vacancy = vacancyOf(index, member, questionOf({ ...request, window }));
  if (vacancy.taken) return 0;
  const candidate = { member, vacancy, score: 0, order: 0 };
  return createTally(index).room(candidate, run.take, most);
};
