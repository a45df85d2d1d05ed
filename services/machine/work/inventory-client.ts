import { toJson } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient, type Transport } from '@connectrpc/connect';
import type { FoundController } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { DiscoveryService } from '../../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import {
  type Bmc,
  BmcType,
  FactsSchema,
} from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { placeOf } from '../../runtime/names.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { agentKey, type ControllerView, type ProviderView } from '../domain/capacity.ts';
import type { InventoryPort } from '../neighbours-port.ts';

const CALL_MS = 10_000;
const FOUND_MAX = 500;

export const createInventoryClient = (transport: Transport): InventoryPort => {
  const providers = createClient(ProviderService, transport);
  const discoveries = createClient(DiscoveryService, transport);
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
    recordFacts: async (asked, signal) => {
      const { provider: name, facts, certificateSha256, observeMs, problem } = asked;
      const request = {
        name,
        ...(facts !== undefined && { facts }),
        ...(problem !== undefined && { problem }),
        certificateSha256,
        observeTime: timestampFromMs(observeMs),
      };
      const options = { signal, timeoutMs: CALL_MS };
      const { conflicts } = await asDomain(providers.recordProviderFacts(request, options));
      return {
        conflicts: conflicts.map(({ field, value, provider, providerUid }) => ({
          field,
          value,
          holder: provider,
          holderUid: providerUid,
        })),
      };
    },
    describeProvider: async (name, signal) => {
      const options = { signal, timeoutMs: CALL_MS };
      const { provider } = await asDomain(providers.getProvider({ name }, options));
      if (provider === undefined) return { provider: null, facts: null };
      const facts = provider.status?.observedFacts ?? provider.spec?.facts;
      return {
        provider: toJson(ProviderSchema, provider),
        facts: facts === undefined ? null : toJson(FactsSchema, facts),
      };
    },
    recordDiscoveries: async (asked, signal) => {
      const { parent, found, observeMs } = asked;
      const observeTime = timestampFromMs(observeMs);
      for (let at = 0; at < found.length; at += FOUND_MAX) {
        const some = found.slice(at, at + FOUND_MAX).map((one) => foundServer(one, asked));
        const request = { parent, found: some, observeTime };
        await asDomain(discoveries.recordDiscoveries(request, { signal, timeoutMs: CALL_MS }));
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
  isNeverProvisioned: provider.spec?.neverProvision ?? false,
  vmAgents: poolOf(provider, 'vm'),
  controller: controllerOf(provider.spec?.bmc),
  bmcAgents: poolOf(provider, 'bmc'),
  refusesCredentials: provider.status?.problem?.reason === 'BMC_UNAUTHORIZED',
});

const poolOf = (provider: Provider, role: string): readonly string[] =>
  (provider.spec?.agentPools ?? [])
    .filter((pool) => pool.role === role)
    .flatMap((pool) => pool.agents)
    .map(agentKey);

const controllerOf = (bmc: Bmc | undefined): ControllerView | null => {
  if (bmc === undefined || bmc.type === BmcType.NONE || bmc.address === '') return null;
  const { address, ipmiAddress, secret, certificateSha256 } = bmc;
  const type = CONTROLLERS.get(bmc.type) ?? 'any';
  return { type, address, ipmiAddress, secret, certificateSha256 };
};

const CONTROLLERS: ReadonlyMap<BmcType, ControllerView['type']> = new Map<
  BmcType,
  ControllerView['type']
>([
  [BmcType.REDFISH, 'redfish'],
  [BmcType.IPMI, 'ipmi'],
]);

const foundServer = (
  { type, address, facts, certificateSha256, problem }: FoundController,
  { secret, agent }: { readonly secret: string; readonly agent: string },
) => ({
  type,
  address,
  ...(facts !== undefined && { facts }),
  certificateSha256,
  // Only where it let somebody in.
  secret: facts === undefined ? '' : secret,
  agents: [agent],
  problem,
});
