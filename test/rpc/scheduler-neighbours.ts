/** Stand-ins for inventory and identity that speak the real contracts. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { createRouterTransport, type Transport } from '@connectrpc/connect';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  ProviderService,
  type WatchProvidersResponseSchema,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { notFound } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';

export const CPU = 'runm.cpu.shared';
export const MEMORY = 'runm.memory';

export type Neighbours = {
  readonly inventory: Transport;
  readonly identity: Transport;
  /** Adds a provider, or tells its new state. */
  readonly tell: (provider: Provider) => void;
  readonly partitions: string[];
  readonly capabilities: string[];
  /** What inventory answers nothing to, until it is told otherwise. */
  readonly setAway: (away: boolean) => void;
};

export type HostWish = {
  readonly id: string;
  readonly cpus?: number;
  readonly memory?: number;
  readonly capabilities?: readonly string[];
  readonly generation?: number;
  readonly uid?: string;
};

export const hostOf = (wish: HostWish): Provider =>
  create(ProviderSchema, {
    name: `partitions/lab/providers/${wish.id}`,
    uid: wish.uid ?? systemRandom.uid(),
    generation: BigInt(wish.generation ?? 1),
    spec: {
      type: ProviderType.VM_HOST,
      capabilities: [...(wish.capabilities ?? ['vm.qemu'])],
      inventories: [
        { resourceType: CPU, total: BigInt(wish.cpus ?? 8) },
        { resourceType: MEMORY, total: BigInt(wish.memory ?? 64) },
      ],
    },
  });

type Response = MessageInitShape<typeof WatchProvidersResponseSchema>;

export const createNeighbours = (): Neighbours => {
  const providers = new Map<string, Provider>();
  const partitions = ['lab', 'attic'];
  const capabilities = ['vm.qemu', 'cpu.x86.avx2'];
  let bell = Promise.withResolvers<void>();
  let isAway = false;
  const here = (): void => {
    if (isAway) throw new Error('Inventory is away');
  };
  async function* watch(signal: AbortSignal): AsyncGenerator<Response> {
    const told = new Map<string, Provider>();
    const news = () =>
      [...providers.values()].filter((provider) => told.get(provider.uid) !== provider);
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      here();
      const rung = bell.promise;
      const events = news().map((value) => {
        told.set(value.uid, value);
        return { event: { case: isFirst ? ('created' as const) : ('updated' as const), value } };
      });
      if (events.length > 0) yield { events, resumeToken: isFirst ? '' : 'later' };
      if (isFirst) {
        yield { events: [{ event: { case: 'synced', value: {} } }], resumeToken: 'synced' };
      }
      await Promise.race([
        rung,
        new Promise<void>((end) => signal.addEventListener('abort', () => end())),
      ]);
    }
  }
  const inventory = createRouterTransport(({ service }) => {
    service(PartitionService, {
      listPartitions: () => {
        here();
        return { partitions: partitions.map((id) => ({ name: `partitions/${id}` })) };
      },
    });
    service(ProviderService, { watchProviders: (_, { signal }) => watch(signal) });
    service(ResourceTypeService, {
      listResourceTypes: () => ({
        resourceTypes: [CPU, MEMORY].map((code) => ({ name: `resourceTypes/${code}` })),
      }),
    });
    service(CapabilityService, {
      listCapabilities: () => ({
        capabilities: capabilities.map((code) => ({ name: `capabilities/${code}` })),
      }),
    });
  });
  const identity = createRouterTransport(({ service }) => {
    service(ProjectService, {
      getProject: ({ name }) => {
        if (['projects/red', 'projects/blue'].includes(name.toLowerCase())) {
          return { project: { name: name.toLowerCase() } };
        }
        throw toConnectError(notFound('NOT_FOUND', `${name} does not exist`));
      },
    });
  });
  const ring = (): void => {
    const { resolve } = bell;
    bell = Promise.withResolvers();
    resolve();
  };
  return {
    inventory,
    identity,
    partitions,
    capabilities,
    tell: (provider) => {
      providers.set(provider.uid, provider);
      ring();
    },
    setAway: (away) => {
      isAway = away;
      ring();
    },
  };
};
