/**
 * When enough providers can answer one part of a request, whatever becomes of the others: for each
 * provider there are spans of begins at which it can, and a sweep over their ends counts how many.
 */
import type { LimitedLooks } from './budget.ts';
import type { Interval } from './hold.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { LoadClass, Shape } from './shape.ts';
import type { Run } from './slot.ts';
import { visit } from './visit.ts';
import { wholeWindows } from './whole-windows.ts';
import { type RoomQuestion, roomAt } from './window-room.ts';

export type FoundWindow = {
  readonly beginMs: number;
  readonly latestBeginMs: number;
  /** Providers that can answer at the earliest begin, for the group that finds the fewest. */
  readonly providers: number;
};

export type Sweep = {
  readonly run: Run;
  /** The providers that meet everything but what is free. */
  readonly bits: Uint32Array;
  /** How many placements. */
  readonly wanted: number;
  /** Of begins. */
  readonly range: Interval;
  readonly durationMs: number;
  readonly ignoreClaimUid: string | undefined;
  readonly spent: LimitedLooks;
  /** How much of it this may take. */
  readonly share: number;
};

/** Spans of begins, also of too few providers where the looks did not suffice for all. */
export const sweepOver = (
  index: ProviderIndex,
  sweep: Sweep,
): Generator<void, readonly FoundWindow[]> =>
  sweep.run.take.wantsWhole ? wholeWindows(index, sweep) : sliceWindows(index, sweep);

/** What looking at a booking takes, and at what was seen like it. */
const HOLD_LOOKS = 10;
const ALIKE_LOOKS = 1;

function* sliceWindows(
  index: ProviderIndex,
  sweep: Sweep,
): Generator<void, readonly FoundWindow[]> {
  const { run, bits, wanted, spent, share } = sweep;
  const isApart = run.take.isolatedFrom.has(run.take.position);
  const question = { ...sweep, resources: run.take.resources, most: isApart ? 1 : wanted };
  const steps = createSteps();
  const alike = new Map<Shape | LoadClass, number>();
  const see = (member: Member): void => {
    const like = likeOf(member, question);
    const known = like && alike.get(like);
    const room = known ?? roomAt(index, member, question);
    spent.looks += known === undefined ? HOLD_LOOKS * (1 + holdsIn(member)) : ALIKE_LOOKS;
    if (typeof room !== 'number') {
      for (const { atMs, room: more, by } of room) steps.add(atMs, more, by);
      return;
    }
    if (like !== undefined) alike.set(like, room);
    steps.add(sweep.range.fromMs, room, room > 0 ? 1 : 0);
  };
  yield* visit(index, { bits, spent, share, see });
  return windowsOf(steps, sweep);
}

/** All of them have the same room at every instant; undefined = there is none like it. */
const likeOf = (
  { booked, shape, load }: Member,
  { ignoreClaimUid }: Pick<RoomQuestion, 'ignoreClaimUid'>,
): Shape | LoadClass | undefined => {
  if (booked === undefined) return shape;
  return booked.timed === 0 && ignoreClaimUid === undefined ? load : undefined;
};

const holdsIn = ({ booked }: Member): number =>
  (booked?.own.length ?? 0) + (booked?.above?.length ?? 0) + (booked?.below?.length ?? 0);

type Step = { room: number; providers: number };

/** What changes at an instant, of all providers together. */
const createSteps = () => {
  const steps = new Map<number, Step>();
  return {
    add: (atMs: number, room: number, providers: number): void => {
      const step = steps.get(atMs);
      if (step === undefined) steps.set(atMs, { room, providers });
      else {
        step.room += room;
        step.providers += providers;
      }
    },
    at: (ms: number): Step => steps.get(ms) ?? { room: 0, providers: 0 },
    instants: (): Float64Array => Float64Array.from(steps.keys()).sort(),
  };
};

const windowsOf = (
  steps: ReturnType<typeof createSteps>,
  { range, wanted }: Pick<Sweep, 'range' | 'wanted'>,
): readonly FoundWindow[] => {
  const found: FoundWindow[] = [];
  let [room, providers] = [0, 0];
  let begin: { readonly beginMs: number; readonly providers: number } | undefined;
  for (const atMs of steps.instants()) {
    const step = steps.at(atMs);
    room += step.room;
    providers += step.providers;
    if (room >= wanted) begin ??= { beginMs: atMs, providers };
    else if (begin !== undefined) {
      found.push({ ...begin, latestBeginMs: atMs - 1 });
      begin = undefined;
    }
  }
  if (begin !== undefined) found.push({ ...begin, latestBeginMs: range.toMs });
  return found;
};
