import type { Filter } from '../constraint.ts';
import { tagKey } from '../postings.ts';
import { listedConstraints } from './posted-sets.ts';

/** Keeps providers with the tags that are asked for. */
export const tagsFilter: Filter = {
  name: 'tags',
  constraints: ({ group, isPart }, index) =>
    listedConstraints(index, group.tags, { noun: 'tag', key: tagKey, isPart }),
};
