/** Whether everything exists that a request names: codes of inventory, groups, properties. */
import { type DomainError, invalidArgument } from '../../runtime/errors.ts';
import type { Draft } from '../domain/command.ts';
import { type NamedField, namedFieldsOf, namesOf } from '../domain/named-fields.ts';
import { namedIn } from '../domain/request-check.ts';
import { assertNamesExist } from '../domain/request-names.ts';
import type { RpcDeps } from './deps.ts';

type Asked = {
  readonly partition: string;
  readonly spec: Draft['spec'];
  /** The field that holds the spec. */
  readonly at: string;
  readonly signal: AbortSignal;
};

/**
 * Errors: invalid_argument UNKNOWN_RESOURCE_TYPE, UNKNOWN_CAPABILITY, UNKNOWN_GROUP,
 * UNKNOWN_DISTANCE_TYPE, PROPERTY_NOT_SCHEDULABLE; unavailable when the owner cannot be asked.
 */
export const checkNames = async (
  { catalogue, topologies }: Pick<RpcDeps, 'catalogue' | 'topologies'>,
  { partition, spec, at, signal }: Asked,
): Promise<void> => {
  const fields = namedFieldsOf(spec, at);
  const [unknownType] = await catalogue.unknownResourceTypes(
    namesOf(fields, 'resource-type'),
    signal,
  );
  if (unknownType !== undefined) {
    throw unknownResourceType(unknownType, fieldOf(fields, 'resource-type', unknownType));
  }
  const [unknownCapability] = await catalogue.unknownCapabilities(
    namesOf(fields, 'capability'),
    signal,
  );
  if (unknownCapability !== undefined) {
    const field = fieldOf(fields, 'capability', unknownCapability);
    const what = `no capability "${unknownCapability}"; see runm capability list`;
    throw unknownCode('UNKNOWN_CAPABILITY', { code: unknownCapability, field, what });
  }
  const named = namedIn(fields);
  if (named.groups.length + named.distanceTypes.length + named.properties.length === 0) return;
  await topologies.learn(partition, named, signal);
  assertNamesExist(topologies.of(partition), spec, { at, fields });
};

/** `field` names it; absent = the message does not say where it stands. */
export const unknownResourceType = (code: string, field?: string): DomainError => {
  const what = `no resource type "${code}"; see runm resource-type list`;
  return unknownCode('UNKNOWN_RESOURCE_TYPE', { code, field, what });
};

type Unknown = {
  readonly code: string;
  readonly field: string | undefined;
  readonly what: string;
};

const unknownCode = (reason: string, { code, field, what }: Unknown): DomainError =>
  invalidArgument(reason, field === undefined ? `There is ${what}` : `${field}: there is ${what}`, {
    metadata: { code, ...(field !== undefined && { field }) },
    ...(field !== undefined && { violations: [{ field, description: `there is ${what}` }] }),
  });

type Kind = NamedField['kind'];

const fieldOf = (fields: readonly NamedField[], wanted: Kind, name: string): string | undefined =>
  fields.find((one) => one.kind === wanted && one.name === name)?.field;
