/**
 * What is free of one provider over a window. `runm.machine.whole` takes all of it, and any slice
 * blocks that.
 */
import { type RequestGroup, WHOLE } from './claim.ts';
import { type Hold, type Interval, isWhole, overlaps, peakUse } from './hold.ts';
import type { Member } from './provider-index.ts';

export type Vacancy = {
  /** Nothing of it is held at any instant of the window. */
  readonly idle: boolean;
  /** Somebody holds it whole at some instant of the window. */
  readonly taken: boolean;
  /** Amount that is free at every instant of the window; 0 for what is not offered. */
  readonly free: (resourceType: string) => number;
};

export const vacancyOf = (member: Member, window: Interval): Vacancy => {
  const { offers } = member.shape;
  const holds: Hold[] = [];
  for (const hold of member.holds.values()) if (overlaps(hold, window)) holds.push(hold);
  if (holds.length === 0) {
    const free = (resourceType: string) => offers.get(resourceType)?.usable ?? 0;
    return { idle: true, taken: false, free };
  }
  const known = new Map<string, number>();
  return {
    idle: false,
    taken: holds.some(isWhole),
    free: (resourceType) => {
      const before = known.get(resourceType);
      if (before !== undefined) return before;
      const usable = offers.get(resourceType)?.usable ?? 0;
      const free = Math.max(0, usable - peakUse(holds, resourceType, window));
      known.set(resourceType, free);
      return free;
    },
  };
};

/** True when the group wants its provider as a whole. */
export const wantsWhole = (group: RequestGroup): boolean =>
  group.resources.some(({ resourceType }) => resourceType === WHOLE);

/** The resource types of which too little is free for one placement of the group. */
export const lackingIn = (vacancy: Vacancy, group: RequestGroup): readonly string[] => {
  if (wantsWhole(group)) return vacancy.idle ? [] : [WHOLE];
  if (vacancy.taken) return [WHOLE];
  return group.resources
    .filter(({ resourceType, amount }) => vacancy.free(resourceType) < amount)
    .map(({ resourceType }) => resourceType);
};
