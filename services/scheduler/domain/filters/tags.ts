import type { MemberFilter } from '../filter.ts';
import { unmetBy } from '../set-constraint.ts';

const NONE: ReadonlySet<string> = new Set();

/** Keeps providers with the tags that are asked for. */
export const tagsFilter: MemberFilter = {
  name: 'tags',
  unmet: ({ facts }, { group }) => unmetBy(facts?.tags ?? NONE, group.tags, 'tag'),
};
