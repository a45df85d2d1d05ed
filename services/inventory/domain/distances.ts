/** How far things are apart: steps of distance types, and what is said with them. */
import type { FieldViolation } from '../../runtime/errors.ts';
import { keyOf, type PlaceDistance } from './records.ts';

export type Step = { readonly code: string; readonly position: number };

/** What is wrong, field by field; empty: nothing. */
export const stepViolations = (steps: readonly Step[]): FieldViolation[] => {
  const codes = new Set<string>();
  return steps.flatMap(({ code, position }, index) => {
    const found: FieldViolation[] = [];
    const add = (field: string, description: string) =>
      found.push({ field: `spec.steps[${index}].${field}`, description });
    if (codes.has(code)) add('code', `"${code}" stands here twice`);
    codes.add(code);
    const before = steps[index - 1];
    if (before !== undefined && position <= before.position) {
      add('position', `must be above ${before.position}, that of "${before.code}" before it`);
    }
    return found;
  });
};

export type KnownPlaces = {
  /** Step codes by the code of their type. */
  readonly steps: ReadonlyMap<string, ReadonlySet<string>>;
  /** Keys of the groups of the partition. */
  readonly groups: ReadonlySet<string>;
  /** Key of the group that says it; absent: a provider does. */
  readonly self?: string;
};

export const distanceViolations = (
  distances: readonly PlaceDistance[],
  { steps, groups, self }: KnownPlaces,
): FieldViolation[] => {
  const said = new Set<string>();
  return distances.flatMap(({ type, group, step }, index) => {
    const found: FieldViolation[] = [];
    const add = (field: string, description: string) =>
      found.push({ field: `spec.distances[${index}].${field}`, description });
    const known = steps.get(type);
    const key = keyOf(group);
    if (known === undefined) add('type', `"${type}" is not a distance type`);
    else if (!known.has(step)) add('step', `"${step}" is not a step of "${type}"`);
    if (!groups.has(key)) add('group', `"${group}" is not a group of this partition`);
    if (key === self) add('group', 'a group is at no distance from itself');
    if (said.has(`${type} ${key}`)) add('group', `"${type}" to "${group}" stands here twice`);
    said.add(`${type} ${key}`);
    return found;
  });
};
