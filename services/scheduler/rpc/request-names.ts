/** Whether everything exists that a request names: codes of inventory, groups, properties. */
import { type DomainError, invalidArgument } from '../../runtime/errors.ts';
import type { Draft } from '../domain/command.ts';
import { blocksOf, listedIn, namedIn } from '../domain/request-check.ts';
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
  const { groups } = spec;
  const resources = groups.flatMap((group) => group.resources);
  const types = unique(resources.map(({ resourceType }) => resourceType));
  const [unknownType] = await catalogue.unknownResourceTypes(types, signal);
  if (unknownType !== undefined) throw unknownResourceType(unknownType);
  const blocks = [
    ...groups.flatMap(({ capabilities }) => capabilities),
    ...resources.flatMap(blocksOf),
  ];
  const codes = unique(blocks.flatMap(listedIn));
  const [unknownCapability] = await catalogue.unknownCapabilities(codes, signal);
  if (unknownCapability !== undefined) {
    throw invalidArgument(
      'UNKNOWN_CAPABILITY',
      `No capability "${unknownCapability}" is defined; see runm capability list`,
      { metadata: { code: unknownCapability } },
    );
  }
  const named = namedIn(spec);
  if (named.groups.length + named.distanceTypes.length + named.properties.length === 0) return;
  await topologies.learn(partition, named, signal);
  assertNamesExist(topologies.of(partition), spec, at);
};

export const unknownResourceType = (code: string): DomainError =>
  invalidArgument(
    'UNKNOWN_RESOURCE_TYPE',
    `There is no resource type "${code}"; see ListResourceTypes`,
    { metadata: { code } },
  );

const unique = (codes: readonly string[]): readonly string[] => [...new Set(codes)];
