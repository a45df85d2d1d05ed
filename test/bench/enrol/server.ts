/** One server of an imported fleet: two NICs and five properties, as a buyer's list has them. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { ProviderUpsertSchema } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';

const PER_RACK = 40;
const RACKS_PER_ROW = 50;

export const rackOf = (number: number): string => `rack${Math.floor(number / PER_RACK)}`;
const rowOf = (number: number): string => `row${Math.floor(number / PER_RACK / RACKS_PER_ROW)}`;

/** Ids of the groups of so many servers. */
export const groupsOf = (count: number): readonly string[] => [
  ...new Set(Array.from({ length: count }, (_, n) => [rackOf(n), rowOf(n)]).flat()),
];

const hex = (number: number, digits: number): string =>
  number.toString(16).padStart(digits, '0').slice(-digits);

const macOf = (number: number): string =>
  `02:00:${hex(number >> 24, 2)}:${hex(number >> 16, 2)}:${hex(number >> 8, 2)}:${hex(number, 2)}`;

export const serverOf = (number: number): MessageInitShape<typeof ProviderUpsertSchema> => ({
  providerId: `s${number}`,
  provider: {
    properties: {
      'asset-tag': { kind: { case: 'stringValue', value: `A-${number}` } },
      'cost-centre': { kind: { case: 'stringValue', value: `cc${number % 97}` } },
      'purchase-year': { kind: { case: 'integerValue', value: BigInt(2018 + (number % 8)) } },
      'warranty-days': { kind: { case: 'integerValue', value: BigInt(number % 2000) } },
      watercooled: { kind: { case: 'boolValue', value: number % 3 === 0 } },
    },
    spec: {
      type: ProviderType.BARE_METAL,
      groups: [rackOf(number), rowOf(number)],
      location: { rack: rackOf(number), position: (number % PER_RACK) + 1, height: 1 },
      capabilities: ['bmc.redfish', 'boot.uefi'],
      inventories: [{ resourceType: 'runm.machine.whole', total: 1n }],
      nics: [
        { label: 'eth0', mac: macOf(2 * number), primary: true },
        { label: 'eth1', mac: macOf(2 * number + 1) },
      ],
      bmc: {
        type: BmcType.REDFISH,
        address: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`,
        secret: 'projects/ops/secrets/bmc',
      },
      facts: {
        serialNumber: `SN${number}`,
        smbiosUuid: `4c4c4544-0000-4000-8000-${hex(number, 12)}`,
        vendor: 'Acme',
        model: 'R1',
      },
    },
  },
});
