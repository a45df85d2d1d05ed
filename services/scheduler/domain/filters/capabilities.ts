import type { ShapeFilter } from '../filter.ts';
import { unmetByAny } from '../set-constraint.ts';

/** Keeps shapes that have the capabilities that are asked for. */
export const capabilitiesFilter: ShapeFilter = {
  name: 'capabilities',
  unmet: (shape, { group }) => unmetByAny(shape.capabilities, group.capabilities, 'capability'),
};
