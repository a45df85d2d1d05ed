import { anyOf, type Filter } from '../constraint.ts';

/** Keeps providers that were reported available and not closed since. */
export const openFilter: Filter = {
  name: 'open',
  constraints: (_, { open }) => [{ ...anyOf('open for claims', [open]), isGiven: true }],
};
