import { clone, enumToJson } from '@bufbuild/protobuf';
import { NicType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  type ProviderSpec,
  ProviderSpecSchema,
  ProviderType,
  ProviderTypeSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { FieldViolation } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type Amounts, amountViolations } from '../domain/amounts.ts';
import { agentName, nicViolations, poolViolations, secretViolations } from '../domain/hardware.ts';
import { badParent, demandTree, TREE_LEVELS_MAX } from '../domain/provider-tree.ts';
import {
  keyOf,
  type ProviderParts,
  type ProviderRecord,
  providerName,
  type Term,
} from '../domain/records.ts';
import { BUILT_IN_RESOURCE_TYPES } from '../domain/resource-types.ts';
import { type RpcDeps, refuseFields } from './deps.ts';
import { groupViolations, keepPlaces, refuseGroups } from './place-rules.ts';
import { amountsOf, specOf } from './provider-message.ts';

type Place = { readonly uid: string; readonly partition: string };

export type Judged = {
  /** As it is stored: names spelled as their objects are. */
  readonly spec: ProviderSpec;
  readonly parentUid: string;
  /** Uid at the top of the tree; its own for a root. */
  readonly rootUid: string;
  readonly parts: ProviderParts;
};

type Judging = {
  readonly place: Place;
  readonly given: Provider;
  /** Absent: it is new. */
  readonly before?: ProviderSpec;
};

/**
 * The spec if all rules hold that the contract cannot say. What it refers to (parent, groups,
 * capabilities, resource and distance types) stays there until the transaction ends. Errors:
 * invalid_argument with all fields that are wrong.
 */
export const judgeSpec = async (
  deps: RpcDeps,
  tx: Tx,
  { place, given, before }: Judging,
): Promise<Judged> => {
  const { partition } = place;
  const spec = clone(ProviderSpecSchema, specOf(given));
  const unknown = await unknownCapabilities(deps, tx, spec.capabilities);
  const types = await knownResourceTypes(deps, tx, amountsOf(spec));
  const places = await keepPlaces(deps, tx, { partition, spec });
  const violations = [
    ...specViolations(spec, partition),
    ...amountViolations(amountsOf(spec), types),
    ...unknown.map(undefinedCode),
    ...places.violations,
  ];
  const ofGroups = groupViolations(spec.groups, places.groups, before?.groups ?? []);
  if (violations.length > 0) throw refuseFields([...violations, ...ofGroups]);
  if (ofGroups.length > 0) throw refuseGroups(ofGroups);
  const parent = await parentOf(deps, tx, { place, parentName: spec.parentProvider });
  spec.parentProvider = parent === undefined ? '' : providerName(parent.record);
  spec.groups = spec.groups.map((group) => places.groups.get(keyOf(group)) ?? group);
  for (const distance of spec.distances) {
    distance.group = places.groups.get(keyOf(distance.group)) ?? distance.group;
  }
  for (const pool of spec.agentPools) {
    pool.agents = pool.agents.map((agent) => agentName(agent, partition));
  }
  return {
    spec,
    parentUid: parent?.record.uid ?? '',
    rootUid: parent?.rootUid ?? place.uid,
    parts: partsOf(spec, given.tags),
  };
};

export const partsOf = (spec: ProviderSpec, tags: readonly string[]): ProviderParts => ({
  nics: spec.nics.map(({ label, mac }) => ({ label, mac })),
  terms: [
    ['type', typeTerm(spec.type)],
    ...spec.capabilities.map((code): Term => ['capability', code]),
    ...spec.groups.map((group): Term => ['group', keyOf(group)]),
    ...resourceTerms(amountsOf(spec)),
    ...tags.map((tag): Term => ['tag', tag]),
  ],
  distances: spec.distances.map(({ type, group, step }) => ({ type, group, step })),
});

export const typeTerm = (type: ProviderType): string =>
  String(enumToJson(ProviderTypeSchema, type)).replace('PROVIDER_TYPE_', '').toLowerCase();

export const resourceTerms = (amounts: readonly Amounts[]): readonly Term[] =>
  amounts.map(({ resourceType }): Term => ['resource_type', resourceType]);

const specViolations = (spec: ProviderSpec, partition: string): FieldViolation[] => [
  // A masked update need not say it, so the contract does not demand it.
  ...(spec.type === ProviderType.UNSPECIFIED ? [NO_TYPE] : []),
  ...nicViolations(spec.nics.map((nic) => ({ ...nic, isOfBmc: nic.type === NicType.BMC }))),
  ...poolViolations(spec.agentPools, partition),
  ...secretViolations(spec.bmc?.secret ?? ''),
];

const NO_TYPE = { field: 'spec.type', description: 'must say what kind of provider it is' };

const unknownCapabilities = async (
  { records }: RpcDeps,
  tx: Tx,
  codes: readonly string[],
): Promise<readonly string[]> => {
  const kept = await records.capabilities.keepAll(tx, codes.toSorted());
  const known = new Set(kept.map(({ id }) => keyOf(id)));
  return codes.filter((code) => !known.has(code));
};

const undefinedCode = (code: string): FieldViolation => ({
  field: 'spec.capabilities',
  description: `"${code}" is not defined; see CreateCapability`,
});

/** Those of ours cannot go, so only operators' own are looked for. */
export const knownResourceTypes = async (
  { records }: RpcDeps,
  tx: Tx,
  amounts: readonly Amounts[],
): Promise<ReadonlySet<string>> => {
  const codes = amounts.map(({ resourceType }) => resourceType);
  const own = codes.filter((code) => !BUILT_IN_RESOURCE_TYPES.has(code));
  const kept = await records.resourceTypes.keepAll(tx, own.toSorted());
  return new Set([...BUILT_IN_RESOURCE_TYPES, ...kept.map(({ id }) => keyOf(id))]);
};

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');

type Parent = { readonly record: ProviderRecord; readonly rootUid: string };

const parentOf = async (
  { records }: RpcDeps,
  tx: Tx,
  { place, parentName }: { place: Place; parentName: string },
): Promise<Parent | undefined> => {
  if (parentName === '') return undefined;
  const name = PROVIDER.parse(parentName);
  const isHere = name !== undefined && keyOf(name.partition) === keyOf(place.partition);
  const parent = isHere
    ? await records.providers.keep(tx, place.partition, name.provider)
    : undefined;
  if (!parent) throw badParent(`"${parentName}" is no provider of this partition`);
  const ancestors = [parent.uid];
  // Each is kept before it is looked at: two changes at once must not close a circle together.
  for (let above = parent.parentUid; above !== '' && ancestors.length < TREE_LEVELS_MAX; ) {
    const next = await records.providers.keepUid(tx, above);
    ancestors.push(above);
    above = next?.parentUid ?? '';
  }
  const levelsBelow = await records.providers.levelsBelow(tx, place.uid, TREE_LEVELS_MAX);
  demandTree({ uid: place.uid, ancestors, levelsBelow });
  return { record: parent, rootUid: ancestors.at(-1) ?? parent.uid };
};
