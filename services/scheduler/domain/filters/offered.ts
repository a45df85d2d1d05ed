import { unitProblem } from '../capacity.ts';
import type { ShapeFilter } from '../filter.ts';

/** Keeps shapes that offer each resource type in such an amount, were nothing of it used. */
export const offeredFilter: ShapeFilter = {
  name: 'offered',
  unmet: ({ offers }, { group }) =>
    group.resources.flatMap(({ resourceType, amount }) => {
      const offer = offers.get(resourceType);
      if (offer === undefined) return [`${resourceType} offered`];
      return unitProblem(offer, amount) === undefined ? [] : [`${resourceType} of ${amount}`];
    }),
};
