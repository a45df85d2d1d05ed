import type { MessageInitShape } from '@bufbuild/protobuf';
import { GroupKind as Kind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import type { DefinitionSchema } from '../../../gen/runmachine/identity/v1/definition_pb.ts';
import type { DistanceTypeSchema } from '../../../gen/runmachine/inventory/v1/distance_pb.ts';
import type { ProviderGroupSchema } from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { type FleetGroup, type GroupKind, PARTITION } from './fleet.ts';

const KINDS: Readonly<Record<GroupKind, Kind>> = {
  site: Kind.SITE,
  row: Kind.ROW,
  rack: Kind.RACK,
  power: Kind.POWER,
};

/** The group as inventory's watch tells it. */
export const groupMessage = (
  { id, kind, parent }: FleetGroup,
  number: number,
): MessageInitShape<typeof ProviderGroupSchema> => ({
  name: `partitions/${PARTITION}/groups/${id}`,
  uid: `01900000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`,
  generation: 1n,
  spec: { kind: KINDS[kind], parentGroup: parent ?? '' },
});

export const DISTANCE = 'network';

export const DISTANCE_TYPE: MessageInitShape<typeof DistanceTypeSchema> = {
  name: `distanceTypes/${DISTANCE}`,
  spec: {
    steps: [
      { code: 'same-rack', position: 1, sharedKind: Kind.RACK },
      { code: 'same-row', position: 2, sharedKind: Kind.ROW },
      { code: 'same-site', position: 3, sharedKind: Kind.SITE },
    ],
  },
};

/** What claims may ask for; the asset tag is on every provider and is not of it. */
export const SCHEDULABLE = ['delivery.year', 'support.level'] as const;

export const definitionMessage = (name: string): MessageInitShape<typeof DefinitionSchema> => ({
  name,
  spec: { properties: SCHEDULABLE.map((key) => ({ key, schedulable: true })) },
});
