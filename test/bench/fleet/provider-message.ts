import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type ProviderSchema,
  ProviderType,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { WHOLE } from '../../../services/scheduler/domain/claim.ts';
import type { FleetProvider } from './fleet.ts';
import { CPU, MEMORY } from './profile.ts';

/** The provider as inventory's watch tells it. */
export const providerMessage = (
  provider: FleetProvider,
): MessageInitShape<typeof ProviderSchema> => {
  const { profile, name, uid, tags, support, year, at } = provider;
  const isServer = profile.type === 'bare-metal';
  return {
    name,
    uid,
    generation: 1n,
    tags: [...tags],
    properties: {
      'asset.tag': { kind: { case: 'stringValue', value: `A${1_000_000 + at}` } },
      'delivery.year': { kind: { case: 'integerValue', value: BigInt(year) } },
      'support.level': { kind: { case: 'stringValue', value: support } },
    },
    spec: {
      type: isServer ? ProviderType.BARE_METAL : ProviderType.VM_HOST,
      capabilities: [...provider.capabilities],
      groups: [...provider.groups],
      inventories: [
        ...(isServer ? [{ resourceType: WHOLE, total: 1n }] : []),
        {
          resourceType: CPU,
          total: BigInt(provider.cpus),
          allocationRatioMilli: profile.cpuRatioMilli,
          // A share of a processor may be larger than a processor has threads, but not of all.
          maxUnit: BigInt(provider.cpus),
        },
        { resourceType: MEMORY, total: BigInt(provider.memoryBytes) },
      ],
    },
  };
};
