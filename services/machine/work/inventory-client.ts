import { createClient, type Transport } from '@connectrpc/connect';
import { type Bmc, BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { type Provider, ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { placeOf } from '../../runtime/names.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { agentKey, type ControllerView, type ProviderView } from '../domain/capacity.ts';
import type { InventoryPort } from '../neighbours-port.ts';

const CALL_MS = 10_000;

export const createInventoryClient = (transport: Transport): InventoryPort => {
  const providers = createClient(ProviderService, transport);
  return {
    findProvider: async (name, signal) => {
      try {
        const options = { signal, timeoutMs: CALL_MS };
        const { provider } = await asDomain(providers.getProvider({ name }, options));
        return provider === undefined ? undefined : providerView(provider);
      } catch (error) {
        if (isDomainError(error, 'not_found')) return undefined;
        throw error;
      }
    },
    watchProviders: async function* (signal) {
      for await (const response of providers.watchProviders(
        { parent: 'partitions/-' },
        { signal },
      )) {
        for (const { event } of response.events) {
          if (event.case === 'created' || event.case === 'updated') {
            yield { kind: 'present', provider: providerView(event.value) };
          } else if (event.case === 'deleted') yield { kind: 'removed', uid: event.value.uid };
          else if (event.case === 'synced') yield { kind: 'synced' };
        }
      }
    },
  };
};

const providerView = (provider: Provider): ProviderView => ({
  uid: provider.uid,
  name: provider.name,
  partition: placeOf(provider.name).partition ?? '',
  isVmHost: provider.spec?.type === ProviderType.VM_HOST,
  generation: Number(provider.generation),
  inventories: (provider.spec?.inventories ?? []).map((one) => ({
    resourceType: one.resourceType,
    total: Number(one.total),
    reserved: Number(one.reserved),
    minUnit: Number(one.minUnit),
    maxUnit: Number(one.maxUnit),
    stepSize: Number(one.stepSize),
    ratioMilli: one.allocationRatioMilli,
  })),
  isMetal: provider.spec?.type === ProviderType.BARE_METAL,
  vmAgents: poolOf(provider, 'vm'),
  controller: controllerOf(provider.spec?.bmc),
  bmcAgents: poolOf(provider, 'bmc'),
});

const poolOf = (provider: Provider, role: string): readonly string[] =>
  (provider.spec?.agentPools ?? [])
    .filter((pool) => pool.role === role)
    .flatMap((pool) => pool.agents)
    .map(agentKey);

const controllerOf = (bmc: Bmc | undefined): ControllerView | null => {
  if (bmc === undefined || bmc.type === BmcType.NONE || bmc.address === '') return null;
  const { address, secret, certificateSha256 } = bmc;
  return { type: CONTROLLERS.get(bmc.type) ?? 'any', address, secret, certificateSha256 };
};

const CONTROLLERS: ReadonlyMap<BmcType, ControllerView['type']> = new Map<
  BmcType,
  ControllerView['type']
>([
  [BmcType.REDFISH, 'redfish'],
  [BmcType.IPMI, 'ipmi'],
]);
