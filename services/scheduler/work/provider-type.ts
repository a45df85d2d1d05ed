import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';

const TYPES: ReadonlyMap<ProviderType, string> = new Map<ProviderType, string>([
  [ProviderType.BARE_METAL, 'bare-metal'],
  [ProviderType.VM_HOST, 'vm-host'],
  [ProviderType.STORAGE_POOL, 'storage-pool'],
  [ProviderType.CLOUD, 'cloud'],
  [ProviderType.DEVICE, 'device'],
]);

/** The word of the domain for a type of inventory's contract; empty for one that is unknown. */
export const providerTypeOf = (type: ProviderType): string => TYPES.get(type) ?? '';
