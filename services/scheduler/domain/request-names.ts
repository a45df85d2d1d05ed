/** Whether what a request names exists: groups, distance types and their steps, properties. */
import { type DomainError, invalidArgument } from '../../runtime/errors.ts';
import type { RequestGroup } from './claim.ts';
import { type CheckedSpec, namedIn, stepsOf } from './request-check.ts';
import type { Topology } from './topology.ts';

/**
 * Errors: invalid_argument UNKNOWN_GROUP, UNKNOWN_DISTANCE_TYPE, PROPERTY_NOT_SCHEDULABLE, or
 * INVALID_FIELD for a step that its distance type does not have. `at` is the field with the spec.
 */
export const assertNamesExist = (
  topology: Topology,
  spec: CheckedSpec,
  at = 'claim.spec',
): void => {
  const { groups, distanceTypes, properties } = namedIn(spec);
  const group = groups.find((id) => !topology.groups.has(id));
  if (group !== undefined) {
    throw unknown('UNKNOWN_GROUP', { at, name: group, what: 'is no provider group here' });
  }
  const type = distanceTypes.find((code) => !topology.distanceTypes.has(code));
  if (type !== undefined) {
    throw unknown('UNKNOWN_DISTANCE_TYPE', { at, name: type, what: 'is no distance type' });
  }
  const key = properties.find((one) => !topology.schedulable.has(one));
  if (key !== undefined) {
    const what = 'is not defined as a schedulable property of providers';
    throw unknown('PROPERTY_NOT_SCHEDULABLE', { at, name: key, what });
  }
  for (const [position, one] of spec.groups.entries()) {
    assertSteps(topology, one, `${at}.groups[${position}]`);
  }
};

const assertSteps = (topology: Topology, group: RequestGroup, at: string): void => {
  for (const [position, constraint] of (group.distances ?? []).entries()) {
    const steps = topology.distanceTypes.get(constraint.type)?.steps ?? [];
    const places = new Map(steps.map(({ code, position: place }) => [code, place]));
    const field = `${at}.distances[${position}]`;
    for (const named of stepsOf(constraint)) {
      if (places.has(named.step)) continue;
      const codes = [...places.keys()].join(', ');
      throw wrongField(`${field}.${named.field}`, `"${named.step}" is none of ${codes}`);
    }
    const { minimum = '', maximum = '' } = constraint;
    if ((places.get(minimum) ?? -Infinity) > (places.get(maximum) ?? Infinity)) {
      throw wrongField(`${field}.minimum`, `"${minimum}" is farther than "${maximum}"`);
    }
  }
};

type Unknown = { readonly at: string; readonly name: string; readonly what: string };

const unknown = (reason: string, { at, name, what }: Unknown): DomainError =>
  invalidArgument(reason, `"${name}" ${what}`, {
    metadata: { name, field: `${at}.groups` },
    violations: [{ field: `${at}.groups`, description: `"${name}" ${what}` }],
  });

const wrongField = (field: string, description: string): DomainError =>
  invalidArgument('INVALID_FIELD', `${field} ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
