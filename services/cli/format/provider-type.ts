import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { UsageError } from '../usage-error.ts';

const TYPES: Readonly<Record<string, ProviderType>> = {
  metal: ProviderType.BARE_METAL,
  'bare-metal': ProviderType.BARE_METAL,
  'vm-host': ProviderType.VM_HOST,
  'storage-pool': ProviderType.STORAGE_POOL,
  cloud: ProviderType.CLOUD,
  device: ProviderType.DEVICE,
};

export const PROVIDER_TYPE_WORDS = Object.keys(TYPES).join(', ');

/** Also as tables show it ("bare metal") and as the contract spells it ("BARE_METAL"). */
export const parseProviderType = (text: string, what?: string): ProviderType => {
  const type = TYPES[text.toLowerCase().replaceAll(/[ _]/g, '-')];
  if (type !== undefined) return type;
  const said = `"${text}" is no type of provider`;
  const cure = `types are ${PROVIDER_TYPE_WORDS}`;
  throw new UsageError(what === undefined ? said : `${what}: ${said}`, cure);
};

/** The word that is read as that type; empty: none. */
export const providerTypeWord = (type: ProviderType): string =>
  Object.keys(TYPES).find((word) => TYPES[word] === type) ?? '';
