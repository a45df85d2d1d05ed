/**
 * How many placements a provider could take that want slices of it, by the begin of the window.
 * What is free changes where a hold begins or ends; over a window the least of it counts, which
 * moves along with the window, so that a provider costs what its holds cost to sort.
 */
import type { ResourceRequest } from './claim.ts';
import { leastAmount, mostAmount } from './granted.ts';
import { type Hold, type Interval, isWhole } from './hold.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';
import { someHold } from './turnaround.ts';

/** From `atMs` on so much more room, and so many more providers (1, 0 or -1). */
export type RoomChange = { readonly atMs: number; readonly room: number; readonly by: number };

export type RoomQuestion = {
  readonly resources: readonly ResourceRequest[];
  /** More than this is not told. */
  readonly most: number;
  /** Of begins. */
  readonly range: Interval;
  readonly durationMs: number;
  readonly ignoreClaimUid: string | undefined;
};

/** Beside so much of each of the resources, in their order. */
export const roomBeside = (
  { offers }: Pick<Shape, 'offers'>,
  used: readonly number[],
  { resources, most }: Pick<RoomQuestion, 'resources' | 'most'>,
): number => {
  let room = most;
  for (const [at, asked] of resources.entries()) {
    const offer = offers.get(asked.resourceType);
    const free = Math.max(0, (offer?.usable ?? 0) - (used[at] ?? 0));
    if (offer === undefined || mostAmount(offer, asked, free) === undefined) return 0;
    room = Math.min(room, Math.floor(free / (leastAmount(offer, asked) ?? asked.amount)));
  }
  return Math.max(0, room);
};

/** A number = the same at every begin. */
export const roomAt = (
  index: ProviderIndex,
  member: Member,
  question: RoomQuestion,
): number | readonly RoomChange[] => {
  const spans = spansOf(member, edgesOf(index, member, question), question);
  const [only] = spans.rooms;
  return spans.rooms.length === 1 ? (only ?? 0) : changesOf(spans, question);
};

/** What a hold takes away from an instant on, or gives back (`by` -1). */
type Edge = {
  readonly atMs: number;
  readonly hold: Hold;
  /** Nothing of the provider is free beside it. */
  readonly takesAll: boolean;
  readonly by: 1 | -1;
};

const edgesOf = (
  index: ProviderIndex,
  member: Member,
  { ignoreClaimUid }: RoomQuestion,
): readonly Edge[] => {
  const edges: Edge[] = [];
  someHold(index, member, (hold, clearMs, where) => {
    const takesAll = where !== 'below' && isWhole(hold);
    if (hold.claimUid === ignoreClaimUid || (where !== 'here' && !takesAll)) return false;
    edges.push({ atMs: hold.fromMs, hold, takesAll, by: 1 });
    if (clearMs !== Infinity) edges.push({ atMs: clearMs, hold, takesAll, by: -1 });
    return false;
  });
  return edges.sort((a, b) => a.atMs - b.atMs);
};

/** What fits at every instant from each of the begins up to the next. */
type Spans = { readonly beginsMs: readonly number[]; readonly rooms: readonly number[] };

const spansOf = ({ shape }: Member, edges: readonly Edge[], question: RoomQuestion): Spans => {
  const { resources } = question;
  const used = resources.map(() => 0);
  const beginsMs = [-Infinity];
  const rooms = [roomBeside(shape, used, question)];
  let taken = 0;
  for (const [at, { atMs, hold, takesAll, by }] of edges.entries()) {
    if (takesAll) taken += by;
    else {
      for (const [which, { resourceType }] of resources.entries()) {
        used[which] = (used[which] ?? 0) + by * (hold.amounts.get(resourceType) ?? 0);
      }
    }
    if (edges[at + 1]?.atMs === atMs) continue;
    const room = taken > 0 ? 0 : roomBeside(shape, used, question);
    if (room === rooms.at(-1)) continue;
    beginsMs.push(atMs);
    rooms.push(room);
  }
  return { beginsMs, rooms };
};

/** The least over the window as it moves over the range. */
const changesOf = (
  { beginsMs, rooms }: Spans,
  { range, durationMs }: RoomQuestion,
): readonly RoomChange[] => {
  const changes: RoomChange[] = [];
  /** Spans of which none before it has less room; the first of them from `head` on is the least. */
  const rising: number[] = [];
  let [head, next, before] = [0, 0, 0];
  for (let nowMs = range.fromMs; nowMs <= range.toMs; ) {
    for (; (beginsMs[next] ?? Infinity) < nowMs + durationMs; next += 1) {
      const room = rooms[next] ?? 0;
      while (rising.length > head && (rooms[rising.at(-1) ?? 0] ?? 0) >= room) rising.pop();
      rising.push(next);
    }
    while ((beginsMs[(rising[head] ?? 0) + 1] ?? Infinity) <= nowMs) head += 1;
    const least = rising[head] ?? 0;
    const room = rooms[least] ?? 0;
    if (room !== before) {
      changes.push({ atMs: nowMs, room: room - before, by: Math.sign(room) - Math.sign(before) });
      before = room;
    }
    const entersMs = (beginsMs[next] ?? Infinity) - durationMs + 1;
    nowMs = Math.min(entersMs, beginsMs[least + 1] ?? Infinity);
  }
  return changes;
};
