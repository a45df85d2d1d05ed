import { enumToJson } from '@bufbuild/protobuf';
import { BmcType, NicType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  type ProviderSpec,
  ProviderType,
  ProviderTypeSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { FieldViolation } from '../../runtime/errors.ts';
import type { Identity } from '../../runtime/identity.ts';
import { namePattern } from '../../runtime/names.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type Amounts, amountViolations } from '../domain/amounts.ts';
import { controllerAddress } from '../domain/controller-address.ts';
import { agentName, nicViolations, poolViolations, secretViolations } from '../domain/hardware.ts';
import { identifiersOf } from '../domain/identifiers.ts';
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
import {
  groupViolations,
  keepPlaces,
  locationViolations,
  type Places,
  placeViolations,
  refuseGroups,
} from './place-rules.ts';
import { amountsOf, specOf } from './provider-message.ts';
import { secretUseViolations } from './secret-use.ts';

export type Place = { readonly uid: string; readonly partition: string };

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
  readonly caller: Identity;
};

/** What specs refer to, kept until the transaction ends. */
export type References = {
  /** Keys of those that are defined. */
  readonly capabilities: ReadonlySet<string>;
  readonly resourceTypes: ReadonlySet<string>;
  readonly places: Places;
};

/** In a few statements, however many specs there are. */
export const keepReferences = async (
  deps: RpcDeps,
  tx: Tx,
  { partition, specs }: { readonly partition: string; readonly specs: readonly ProviderSpec[] },
): Promise<References> => {
  const codes = new Set(specs.flatMap(({ capabilities }) => capabilities));
  const kept = await deps.records.capabilities.keepAll(tx, [...codes].sort());
  const types = new Set(
    specs.flatMap(({ inventories }) => inventories.map(({ resourceType }) => resourceType)),
  );
  return {
    capabilities: new Set(kept.map(({ id }) => keyOf(id))),
    resourceTypes: await knownResourceTypes(deps, tx, [...types]),
    places: await keepPlaces(deps, tx, { partition, specs }),
  };
};

/**
 * The spec if all rules hold that the contract cannot say. What it refers to (parent, groups,
 * capabilities, resource and distance types) stays there until the transaction ends. Errors:
 * invalid_argument with all fields that are wrong.
 */
export const judgeSpec = async (deps: RpcDeps, tx: Tx, judging: Judging): Promise<Judged> => {
  const { place, given } = judging;
  const spec = specOf(given);
  const references = await keepReferences(deps, tx, { partition: place.partition, specs: [spec] });
  demandSpec(judging, references);
  const parent = await parentOf(deps, tx, { place, parentName: spec.parentProvider });
  return judgedSpec(judging, references, parent);
};

/** Errors: invalid_argument with all fields that are wrong; UNKNOWN_GROUP. */
export const demandSpec = (judging: Judging, references: References): void => {
  const { place, given, before, caller } = judging;
  const spec = specOf(given);
  const { places } = references;
  const violations = [
    ...specViolations(spec, place.partition),
    ...secretUseViolations(caller, spec, before),
    ...amountViolations(amountsOf(spec), references.resourceTypes),
    ...spec.capabilities.filter((code) => !references.capabilities.has(code)).map(undefinedCode),
    ...placeViolations(spec, places),
    ...locationViolations(spec, places),
  ];
  const ofGroups = groupViolations(spec.groups, places.groups, before?.groups ?? []);
  if (ofGroups.length > 0 && violations.every(({ field }) => field === RACK)) {
    throw refuseGroups(ofGroups);
  }
  if (violations.length > 0) throw refuseFields([...violations, ...ofGroups]);
};

/** Wrong too when its group is not there, which says more. */
const RACK = 'spec.location.rack';

/** As it is stored: names spelled as their objects are. For a spec without violations. */
export const judgedSpec = (
  { place, given }: Judging,
  { places: { groups } }: References,
  parent: Parent | undefined,
): Judged => {
  const asked = specOf(given);
  const spelled = (group: string) => groups.get(keyOf(group)) ?? group;
  const spec: ProviderSpec = {
    ...asked,
    parentProvider: parent === undefined ? '' : providerName(parent.record),
    groups: asked.groups.map(spelled),
    distances: asked.distances.map((one) => ({ ...one, group: spelled(one.group) })),
    agentPools: asked.agentPools.map((pool) => ({
      ...pool,
      agents: pool.agents.map((agent) => agentName(agent, place.partition)),
    })),
    ...(asked.location && {
      location: { ...asked.location, rack: spelled(asked.location.rack) },
    }),
  };
  return {
    spec,
    parentUid: parent?.record.uid ?? '',
    rootUid: parent?.rootUid ?? place.uid,
    parts: partsOf(spec, given.tags),
  };
};

export const partsOf = (spec: ProviderSpec, tags: readonly string[]): ProviderParts => ({
  identifiers: identifiersOf({ ...spec, bmc: controllerOf(spec) }),
  terms: [
    ['type', typeTerm(spec.type)],
    ...spec.capabilities.map((code): Term => ['capability', code]),
    ...spec.groups.map((group): Term => ['group', keyOf(group)]),
    ...resourceTerms(amountsOf(spec)),
    ...tags.map((tag): Term => ['tag', tag]),
    ...chassisTerms(controllerOf(spec)?.address ?? ''),
  ],
  distances: spec.distances.map(({ type, group, step }) => ({ type, group, step })),
});

const controllerOf = ({ bmc }: ProviderSpec): ProviderSpec['bmc'] =>
  bmc?.type === BmcType.NONE ? undefined : bmc;

const chassisTerms = (address: string): readonly Term[] => {
  const { controller, system } = controllerAddress(address);
  return system === '' ? [] : [['chassis', controller]];
};

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

const undefinedCode = (code: string): FieldViolation => ({
  field: 'spec.capabilities',
  description: `"${code}" is not defined; see CreateCapability`,
});

/** Those of ours cannot go, so only operators' own are looked for. */
export const knownResourceTypes = async (
  { records }: RpcDeps,
  tx: Tx,
  codes: readonly string[],
): Promise<ReadonlySet<string>> => {
  const own = codes.filter((code) => !BUILT_IN_RESOURCE_TYPES.has(code));
  const kept = await records.resourceTypes.keepAll(tx, own.sort());
  return new Set([...BUILT_IN_RESOURCE_TYPES, ...kept.map(({ id }) => keyOf(id))]);
};

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');

export type Parent = { readonly record: ProviderRecord; readonly rootUid: string };

export const parentOf = async (
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
