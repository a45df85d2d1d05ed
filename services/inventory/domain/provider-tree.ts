import { invalidArgument } from '../../runtime/errors.ts';

/** Deeper trees are mistakes: site, chassis, blade, NUMA node, device is five. */
export const TREE_DEPTH_MAX = 16;

/**
 * Refuses a parent that would make a circle or too deep a tree. `ancestors` are the uids from the new parent up to its
 * root.
 */
export const demandTree = (uid: string, ancestors: readonly string[]): void => {
  if (ancestors.includes(uid)) {
    throw invalidArgument(
      'INVALID_FIELD',
      'spec.parent_provider: the provider would become its own ancestor',
      { violations: [{ field: 'spec.parent_provider', description: 'makes a circle' }] },
    );
  }
  if (ancestors.length >= TREE_DEPTH_MAX) {
    throw invalidArgument(
      'INVALID_FIELD',
      `spec.parent_provider: trees have at most ${TREE_DEPTH_MAX} levels`,
      { violations: [{ field: 'spec.parent_provider', description: 'the tree is too deep' }] },
    );
  }
};
