import { anyOf, type Filter } from '../constraint.ts';
import { groupKey, kindKey } from '../postings.ts';
import { listedConstraints } from './posted-sets.ts';

/** How a refusal names that what is spread over groups of a kind must be in one. */
export const inKindWords = (kind: string): string => `in a group of kind ${kind}`;

/** Keeps providers of the groups that are asked for, and in a rack what is spread over racks. */
export const providerGroupsFilter: Filter = {
  name: 'provider-groups',
  constraints: ({ group, isPart, spreadKind }, index) => [
    ...listedConstraints(index, group.providerGroups, { noun: 'group', key: groupKey, isPart }),
    ...(spreadKind === undefined
      ? []
      : [anyOf(inKindWords(spreadKind), [index.postings.of(kindKey(spreadKind))])]),
  ],
};
