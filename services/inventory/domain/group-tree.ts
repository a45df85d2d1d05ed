import { invalidArgument } from '../../runtime/errors.ts';

/** Deeper nests are mistakes: region, site, room, row, rack is five. */
export const GROUP_LEVELS_MAX = 16;

export type Nesting = {
  readonly key: string;
  /** Keys from the new parent up to the outermost; may end after GROUP_LEVELS_MAX. */
  readonly ancestors: readonly string[];
  /** Levels of groups inside it; 0: there are none. */
  readonly levelsBelow: number;
};

/** Refuses a parent that would make a circle or too deep a nest. */
export const demandNesting = ({ key, ancestors, levelsBelow }: Nesting): void => {
  if (ancestors.includes(key)) throw badParentGroup('the group would lie in itself');
  if (ancestors.length + 1 + levelsBelow > GROUP_LEVELS_MAX) {
    throw badParentGroup(`groups would lie in each other in more than ${GROUP_LEVELS_MAX} levels`);
  }
};

const PARENT = 'spec.parent_group';

export const badParentGroup = (description: string, reason = 'INVALID_FIELD') =>
  invalidArgument(reason, `${PARENT}: ${description}`, {
    violations: [{ field: PARENT, description }],
    metadata: { field: PARENT },
  });
