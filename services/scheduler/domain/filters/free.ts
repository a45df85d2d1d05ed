import type { MemberFilter } from '../filter.ts';
import { lackingIn, vacancyOf } from '../vacancy.ts';

/** Keeps providers on which the amounts are free at every instant of the window. */
export const freeFilter: MemberFilter = {
  name: 'free',
  unmet: (member, { group, window }) =>
    lackingIn(vacancyOf(member, window), group).map((resourceType) => `${resourceType} free`),
};
