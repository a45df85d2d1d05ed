/** Whether a request makes sense in itself, beyond what the contract's rules can say. */
import type { FieldViolation } from '../../runtime/errors.ts';
import type { RequestGroup } from './claim.ts';

/** The name of a group that was given none. */
export const MAIN_GROUP = 'main';

/** What is wrong, field by field; empty = nothing. */
export const violationsOf = (groups: readonly RequestGroup[]): readonly FieldViolation[] => {
  const names = new Set<string>();
  const all = new Set(groups.map(({ name }) => name));
  return groups.flatMap((group, at) => {
    const field = `claim.spec.groups[${at}]`;
    const found: FieldViolation[] = [];
    if (names.has(group.name)) {
      found.push({
        field: `${field}.name`,
        description: `"${group.name}" stands twice; groups need names of their own`,
      });
    }
    names.add(group.name);
    const codes = new Set<string>();
    for (const [position, { resourceType, amount }] of group.resources.entries()) {
      const its = `${field}.resources[${position}]`;
      if (codes.has(resourceType)) {
        found.push({
          field: `${its}.resource_type`,
          description: `"${resourceType}" stands twice; add the amounts up`,
        });
      }
      codes.add(resourceType);
      if (!Number.isSafeInteger(amount)) {
        found.push({ field: `${its}.amount`, description: 'must be below 2^53' });
      }
    }
    for (const other of group.isolateFrom) {
      if (all.has(other)) continue;
      found.push({
        field: `${field}.isolate_from`,
        description: `"${other}" is no group of this claim`,
      });
    }
    return found;
  });
};
