import type { MemberFilter } from '../filter.ts';
import { lackingIn } from '../vacancy.ts';

/** How a refusal names that too little is free. */
export const freeReason = (resourceType: string): string => `${resourceType} free`;

/** Keeps providers on which the amounts are free at every instant of the window. */
export const freeFilter: MemberFilter = {
  name: 'free',
  unmet: (_, { group }, vacancy) => lackingIn(vacancy(), group).map(freeReason),
};
