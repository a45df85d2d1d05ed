import type { MemberFilter } from '../filter.ts';

const CLOSED = ['open for claims'];
const OPEN: readonly string[] = [];

/** Keeps providers that were reported available and not closed since. */
export const openFilter: MemberFilter = {
  name: 'open',
  unmet: ({ closed }) => (closed ? CLOSED : OPEN),
};
