import type { MemberFilter } from '../filter.ts';
import { unmetBy } from '../set-constraint.ts';

const NONE: ReadonlySet<string> = new Set();

/** Keeps providers of the groups (site, row, rack, power feed) that are asked for. */
export const providerGroupsFilter: MemberFilter = {
  name: 'provider-groups',
  unmet: ({ facts }, { group }) => unmetBy(facts?.groups ?? NONE, group.providerGroups, 'group'),
};
