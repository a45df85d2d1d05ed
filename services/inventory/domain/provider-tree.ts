import { type DomainError, invalidArgument } from '../../runtime/errors.ts';

/** Deeper trees are mistakes: site, chassis, blade, NUMA node, device is five. */
export const TREE_LEVELS_MAX = 16;

export type Placing = {
  readonly uid: string;
  /** Uids from the new parent up to its root; may end after TREE_LEVELS_MAX. */
  readonly ancestors: readonly string[];
  /** Levels of parts below the provider; 0: it has none. */
  readonly levelsBelow: number;
};

/** Refuses a parent that would make a circle or too deep a tree. */
export const demandTree = ({ uid, ancestors, levelsBelow }: Placing): void => {
  if (ancestors.includes(uid)) {
    throw badParent('the provider would become its own ancestor');
  }
  if (ancestors.length + 1 + levelsBelow > TREE_LEVELS_MAX) {
    throw badParent(`the tree would have more than ${TREE_LEVELS_MAX} levels`);
  }
};

const PARENT = 'spec.parent_provider';

export const badParent = (description: string): DomainError =>
  invalidArgument('INVALID_FIELD', `${PARENT}: ${description}`, {
    violations: [{ field: PARENT, description }],
    metadata: { field: PARENT },
  });
