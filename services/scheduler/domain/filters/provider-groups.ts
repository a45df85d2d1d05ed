import { anyOf, type Filter } from '../constraint.ts';
import { groupKey, kindKey } from '../postings.ts';
import { listedConstraints } from './posted-sets.ts';

/** Keeps providers of the groups that are asked for, and in a rack what is spread over racks. */
export const providerGroupsFilter: Filter = {
  name: 'provider-groups',
  constraints: ({ group, isPart, spreadKind }, index) => [
    ...listedConstraints(index, group.providerGroups, { noun: 'group', key: groupKey, isPart }),
    ...(spreadKind === undefined
      ? []
      : [anyOf(`in a group of kind ${spreadKind}`, [index.postings.of(kindKey(spreadKind))])]),
  ],
};
