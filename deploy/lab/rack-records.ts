/** A rack as the inventory of a control plane knows it: its groups, and a provider per server. */
import { create } from '@bufbuild/protobuf';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import {
  type ProviderGroup,
  ProviderGroupSchema,
} from '../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { BmcType, NicType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { LabServerStatus, LabStatus } from './control-protocol.ts';

export type RackRecords = {
  /** Each after the one in which it lies. */
  readonly groups: readonly ProviderGroup[];
  readonly providers: readonly Provider[];
};

export type RackRecordsOptions = {
  /** "partitions/{partition}" */
  readonly partition: string;
  /** Full names of the agents that reach the controllers. */
  readonly agents: readonly string[];
  /** Full name of the secret that holds user and password of a server's controller. */
  readonly secretOf: (server: string) => string;
};

const WHOLE = 'runm.machine.whole';

export const rackRecords = (status: LabStatus, options: RackRecordsOptions): RackRecords => ({
  groups: groupsOf(status, options.partition),
  providers: status.servers.map((server) => providerOf(server, status, options)),
});

const groupsOf = (
  { site, rack, powerFeeds }: LabStatus,
  partition: string,
): readonly ProviderGroup[] => {
  const group = (id: string, kind: GroupKind, parentGroup: string): ProviderGroup =>
    create(ProviderGroupSchema, {
      name: `${partition}/groups/${id}`,
      spec: { kind, parentGroup, description: 'of the lab on this machine' },
    });
  return [
    group(site, GroupKind.SITE, ''),
    group(rack, GroupKind.RACK, site),
    ...powerFeeds.map((feed) => group(feed, GroupKind.POWER, site)),
  ];
};

const providerOf = (
  server: LabServerStatus,
  { rack }: LabStatus,
  { partition, agents, secretOf }: RackRecordsOptions,
): Provider => {
  const { name, unit, powerFeeds, nics, bmcMac } = server;
  return create(ProviderSchema, {
    name: `${partition}/providers/${name}`,
    tags: ['lab'],
    spec: {
      type: ProviderType.BARE_METAL,
      groups: [rack, ...powerFeeds],
      location: { rack, position: unit, height: 1 },
      capabilities: [],
      inventories: [{ resourceType: WHOLE, total: 1n }],
      nics: [
        ...nics.map(({ label, mac, speedBitsPerSecond }, index) => ({
          ...{ label, mac, speedBitsPerSecond: BigInt(speedBitsPerSecond) },
          ...{ type: NicType.PHYSICAL, primary: index === 0 },
        })),
        { label: 'BMC', mac: bmcMac, type: NicType.BMC },
      ],
      bmc: { ...controllerOf(server), secret: secretOf(name) },
      agentPools: [{ role: 'bmc', agents: [...agents] }],
    },
  });
};

/** A console is reached by IPMI, also where the rest is by Redfish. */
const controllerOf = ({ bmc, redfish, ipmi }: LabServerStatus) =>
  bmc === 'redfish'
    ? { type: BmcType.REDFISH, address: redfish, ipmiAddress: ipmi }
    : { type: BmcType.IPMI, address: ipmi };
