import { clone } from '@bufbuild/protobuf';
import { NicType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type ProviderSpec,
  ProviderSpecSchema,
  ProviderType,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { FieldViolation } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { amountViolations } from '../domain/amounts.ts';
import {
  agentName,
  groupViolations,
  nicViolations,
  poolViolations,
  secretViolations,
} from '../domain/hardware.ts';
import { badParent, demandTree, TREE_LEVELS_MAX } from '../domain/provider-tree.ts';
import { keyOf, type ProviderParts, type ProviderRecord, providerName } from '../domain/records.ts';
import { RESOURCE_TYPE_CODES } from '../domain/resource-types.ts';
import { type RpcDeps, refuseFields } from './deps.ts';
import { amountsOf } from './provider-message.ts';

type Place = { readonly uid: string; readonly partition: string };

export type Judged = {
  /** As it is stored: names spelled as their objects are. */
  readonly spec: ProviderSpec;
  readonly parentUid: string;
  readonly parts: ProviderParts;
};

/**
 * The spec if all rules hold that the contract cannot say. What it refers to (parent, capabilities)
 * stays there until the transaction ends. Errors: invalid_argument with all fields that are wrong.
 */
export const judgeSpec = async (
  deps: RpcDeps,
  tx: Tx,
  { place, given }: { place: Place; given: ProviderSpec },
): Promise<Judged> => {
  const unknown = await deps.records.capabilities.keepAll(tx, given.capabilities.toSorted());
  const violations = [...specViolations(given, place.partition), ...unknown.map(undefinedCode)];
  if (violations.length > 0) throw refuseFields(violations);
  const parent = await parentOf(deps, tx, { place, parentName: given.parentProvider });
  const spec = clone(ProviderSpecSchema, given);
  spec.parentProvider = parent === undefined ? '' : providerName(parent);
  for (const pool of spec.agentPools) {
    pool.agents = pool.agents.map((agent) => agentName(agent, place.partition));
  }
  return {
    spec,
    parentUid: parent?.uid ?? '',
    parts: {
      capabilities: spec.capabilities,
      nics: spec.nics.map(({ label, mac }) => ({ label, mac })),
    },
  };
};

const specViolations = (spec: ProviderSpec, partition: string): FieldViolation[] => [
  // The contract asks for it only where there is a spec at all.
  ...(spec.type === ProviderType.UNSPECIFIED ? [NO_TYPE] : []),
  ...amountViolations(amountsOf(spec), RESOURCE_TYPE_CODES),
  ...groupViolations(spec.groups),
  ...nicViolations(spec.nics.map((nic) => ({ ...nic, isOfBmc: nic.type === NicType.BMC }))),
  ...poolViolations(spec.agentPools, partition),
  ...secretViolations(spec.bmc?.secret ?? ''),
];

const NO_TYPE = { field: 'spec.type', description: 'must say what kind of provider it is' };

const undefinedCode = (code: string): FieldViolation => ({
  field: 'spec.capabilities',
  description: `"${code}" is not defined; see CreateCapability`,
});

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');

const parentOf = async (
  { records }: RpcDeps,
  tx: Tx,
  { place, parentName }: { place: Place; parentName: string },
): Promise<ProviderRecord | undefined> => {
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
  return parent;
};
