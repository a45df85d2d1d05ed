/** Whether what a request names exists: groups, distance types and their steps, properties. */
import { type DomainError, invalidArgument } from '../../runtime/errors.ts';
import type { RequestGroup } from './claim.ts';
import type { NamedField } from './named-fields.ts';
import { type CheckedSpec, stepsOf } from './request-check.ts';
import type { PropertyKind, Topology } from './topology.ts';

type At = {
  /** The field with the spec. */
  readonly at: string;
  /** What the spec names. */
  readonly fields: readonly NamedField[];
};

/**
 * Errors: invalid_argument UNKNOWN_GROUP, UNKNOWN_DISTANCE_TYPE, PROPERTY_NOT_SCHEDULABLE, or
 * INVALID_FIELD for a step that its distance type does not have, or a value of another kind than
 * its property.
 */
export const assertNamesExist = (
  topology: Topology,
  spec: CheckedSpec,
  { at, fields }: At,
): void => {
  for (const named of fields) {
    switch (named.kind) {
      case 'group':
        if (topology.groups.has(named.name)) break;
        throw unknown('UNKNOWN_GROUP', named, 'is no provider group here');
      case 'distance-type':
        if (topology.distanceTypes.has(named.name)) break;
        throw unknown('UNKNOWN_DISTANCE_TYPE', named, 'is no distance type');
      case 'property':
        assertProperty(topology, named);
    }
  }
  for (const [position, one] of spec.groups.entries()) {
    assertSteps(topology, one, `${at}.groups[${position}]`);
  }
};

const assertProperty = ({ schedulable, propertyKinds }: Topology, named: NamedField): void => {
  const { name, field, valueKind } = named;
  if (!schedulable.has(name)) {
    const what = 'is not defined as a schedulable property of providers';
    throw unknown('PROPERTY_NOT_SCHEDULABLE', named, what);
  }
  const defined = propertyKinds?.get(name);
  if (defined === undefined || valueKind === undefined || valueKind === defined) return;
  // A text is met by a list that holds it.
  if (defined === 'strings' && valueKind === 'string') return;
  const said = `"${name}" is defined as ${SAID[defined]}, and ${SAID[valueKind]} is asked for`;
  throw wrongField(field.replace(/key$/, 'value'), said);
};

const SAID: Readonly<Record<PropertyKind, string>> = {
  string: 'a text',
  integer: 'an integer',
  number: 'a number',
  bool: 'true or false',
  strings: 'a list of texts',
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

const unknown = (reason: string, { name, field }: NamedField, what: string): DomainError =>
  invalidArgument(reason, `${field}: "${name}" ${what}`, {
    metadata: { name, field },
    violations: [{ field, description: `"${name}" ${what}` }],
  });

const wrongField = (field: string, description: string): DomainError =>
  invalidArgument('INVALID_FIELD', `${field} ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
