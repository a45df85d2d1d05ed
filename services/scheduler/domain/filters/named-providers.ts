import type { MemberFilter } from '../filter.ts';

const OTHER = ['one of the named providers'];
const NAMED: readonly string[] = [];

/** Keeps the providers that the request names, where it names any. */
export const namedProvidersFilter: MemberFilter = {
  name: 'named-providers',
  unmet: ({ uid }, { group }) =>
    group.providers.length === 0 || group.providers.includes(uid) ? NAMED : OTHER,
};
