/** Stand-ins for inventory and identity that speak the real contracts. */

import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createRouterTransport, type Transport } from '@connectrpc/connect';
import { DefinitionService } from '../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import type { DistanceType } from '../../gen/runmachine/inventory/v1/distance_pb.ts';
import { DistanceTypeService } from '../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import type { ProviderGroup } from '../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { notFound } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';

export const CPU = 'runm.cpu.shared';
export const MEMORY = 'runm.memory';
export const WHOLE = 'runm.machine.whole';

export type Neighbours = {
  readonly inventory: Transport;
  readonly identity: Transport;
  /** Adds a provider, or tells its new state. */
  readonly tell: (provider: Provider) => void;
  readonly partitions: string[];
  readonly capabilities: string[];
  readonly distanceTypes: DistanceType[];
  /** Keys of properties. */
  readonly schedulable: string[];
  /** What whole servers need between two claims, in every partition. */
  readonly turnaroundSeconds: { current: number };
  /** Adds a group, or tells its new state. */
  readonly tellGroup: (group: ProviderGroup) => void;
  readonly dropGroup: (uid: string) => void;
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

/** The projects that there are, with the one in which each lies; empty = none. */
const PARENT_OF: ReadonlyMap<string, string> = new Map([
  ['projects/red', ''],
  ['projects/blue', ''],
  ['projects/crimson', 'projects/red'],
]);

export const createNeighbours = (): Neighbours => {
  const providers = createTold<Provider>(() => here());
  const groups = createTold<ProviderGroup>(() => here());
  const partitions = ['lab', 'attic'];
  const capabilities = ['vm.qemu', 'cpu.x86.avx2'];
  const distanceTypes: DistanceType[] = [];
  const schedulable: string[] = [];
  const turnaroundSeconds = { current: 0 };
  let isAway = false;
  const here = (): void => {
    if (isAway) throw new ConnectError('Inventory is away', Code.Unavailable);
  };
  const inventory = createRouterTransport(({ service }) => {
    service(PartitionService, {
      listPartitions: () => {
        here();
        const seconds = BigInt(turnaroundSeconds.current);
        const providerTypes = [{ type: ProviderType.BARE_METAL, turnaround: { seconds } }];
        return {
          partitions: partitions.map((id) => ({
            name: `partitions/${id}`,
            spec: { providerTypes },
          })),
        };
      },
    });
    service(ProviderService, { watchProviders: (_, { signal }) => providers.watch(signal) });
    service(ProviderGroupService, {
      watchProviderGroups: (_, { signal }) => groups.watch(signal),
    });
    service(DistanceTypeService, {
      listDistanceTypes: () => ({ distanceTypes: [...distanceTypes] }),
    });
    service(ResourceTypeService, {
      listResourceTypes: () => ({
        resourceTypes: [CPU, MEMORY, WHOLE].map((code) => ({ name: `resourceTypes/${code}` })),
      }),
    });
    service(CapabilityService, {
      listCapabilities: () => ({
        capabilities: capabilities.map((code) => ({ name: `capabilities/${code}` })),
      }),
    });
  });
  const identity = createRouterTransport(({ service }) => {
    service(DefinitionService, {
      getDefinition: ({ name }) => ({
        definition: {
          name,
          spec: { properties: schedulable.map((key) => ({ key, schedulable: true })) },
        },
      }),
    });
    service(ProjectService, {
      getProject: ({ name }) => {
        const key = name.toLowerCase();
        const parentProject = PARENT_OF.get(key);
        if (parentProject !== undefined) return { project: { name: key, spec: { parentProject } } };
        throw toConnectError(notFound('NOT_FOUND', `${name} does not exist`));
      },
    });
  });
  return {
    inventory,
    identity,
    partitions,
    capabilities,
    distanceTypes,
    schedulable,
    turnaroundSeconds,
    tell: providers.tell,
    tellGroup: groups.tell,
    dropGroup: groups.drop,
    setAway: (away) => {
      isAway = away;
      providers.ring();
      groups.ring();
    },
  };
};

/** A watch that tells everything first and then what is new or gone. */
const createTold = <T extends { readonly uid: string }>(here: () => void) => {
  const all = new Map<string, T>();
  let bell = Promise.withResolvers<void>();
  const ring = (): void => {
    const { resolve } = bell;
    bell = Promise.withResolvers();
    resolve();
  };
  const eventsFor = (told: Map<string, T>, word: 'created' | 'updated') => {
    const news = [...all.values()].filter((one) => told.get(one.uid) !== one);
    const gone = [...told.values()].filter(({ uid }) => !all.has(uid));
    for (const one of news) told.set(one.uid, one);
    for (const { uid } of gone) told.delete(uid);
    return [
      ...news.map((value) => ({ event: { case: word, value } })),
      ...gone.map(({ uid }) => ({ event: { case: 'deleted' as const, value: { uid } } })),
    ];
  };
  async function* watch(signal: AbortSignal) {
    const told = new Map<string, T>();
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      here();
      const rung = bell.promise;
      const events = eventsFor(told, isFirst ? 'created' : 'updated');
      if (events.length > 0) yield { events, resumeToken: isFirst ? '' : 'later' };
      if (isFirst) {
        const synced = { event: { case: 'synced' as const, value: {} } };
        yield { events: [synced], resumeToken: 'synced' };
      }
      await Promise.race([
        rung,
        new Promise<void>((end) => signal.addEventListener('abort', () => end())),
      ]);
    }
  }
  return {
    watch,
    ring,
    tell: (one: T) => {
      all.set(one.uid, one);
      ring();
    },
    drop: (uid: string) => {
      all.delete(uid);
      ring();
    },
  };
};
