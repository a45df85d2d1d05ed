import { create } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import {
  type Capacity,
  CapacityService,
  type ReshapeRequest,
  ReshapeResponseSchema,
  SetCapacityResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Offer } from '../domain/capacity.ts';
import { keyOf } from '../domain/claim.ts';
import type { Command } from '../domain/command.ts';
import type { PartitionView } from '../ports.ts';
import { assertService } from './claim-calls.ts';
import { invalidField } from './claim-request.ts';
import { viewOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { listUsage } from './list-usage.ts';
import { originOf } from './origin.ts';
import { toLeader } from './to-leader.ts';

export const capacityRpc = (deps: RpcDeps): Implementation =>
  implement(CapacityService, {
    setCapacity: async (request, context) => {
      assertService(context);
      const view = await viewIn(deps, request.parent, context);
      const command: Command = {
        verb: 'set-capacity',
        origin: originOf(context),
        providerUid: keyOf(request.providerUid),
        generation: numberOf('inventory_generation', request.inventoryGeneration),
        offers: offersOf(request.capacities, 'capacities'),
        closed: request.closed,
      };
      return toLeader(deps, context, {
        partition: view.partition,
        ways: {
          local: async (leader, limit) => {
            const { revision } = await leader.submit(command, limit);
            return create(SetCapacityResponseSchema, { revision });
          },
          remote: (transport, options) =>
            createClient(CapacityService, transport).setCapacity(request, options),
        },
      });
    },
    reshape: async (request, context) => {
      assertService(context);
      const view = await viewIn(deps, request.parent, context);
      const command: Command = {
        verb: 'reshape',
        origin: originOf(context),
        ...reshapeOf(request),
      };
      return toLeader(deps, context, {
        partition: view.partition,
        ways: {
          local: async (leader, limit) => {
            const granted = await leader.submit(command, limit);
            const claims = granted.kind === 'reshape' ? granted.claims : 0;
            return create(ReshapeResponseSchema, { revision: granted.revision, claims });
          },
          remote: (transport, options) =>
            createClient(CapacityService, transport).reshape(request, options),
        },
      });
    },
    listUsage: async (request, context) => {
      const view = await viewIn(deps, request.parent, context);
      // Of one provider a service wants to know for certain, before it takes capacity away.
      if (request.providerUid === '') return listUsage(view, request, deps.incarnation());
      return toLeader(deps, context, {
        partition: view.partition,
        ways: {
          local: async () => listUsage(view, request, deps.incarnation()),
          remote: (transport, options) =>
            createClient(CapacityService, transport).listUsage(request, options),
        },
      });
    },
  });

const PARTITION = namePattern('partitions/{partition}');

const viewIn = (deps: RpcDeps, parent: string, context: HandlerContext): Promise<PartitionView> => {
  const partition = PARTITION.parse(parent)?.partition;
  if (partition === undefined) throw invalidField('parent', `"${parent}" is no partition`);
  return viewOf(deps, partition, callOf(context).signal);
};

const reshapeOf = ({ providers, moves }: ReshapeRequest) => ({
  providers: providers.map(({ providerUid, inventoryGeneration, capacities }, at) => ({
    providerUid: keyOf(providerUid),
    generation: numberOf(`providers[${at}].inventory_generation`, inventoryGeneration),
    offers: offersOf(capacities, `providers[${at}].capacities`),
  })),
  moves: moves.map(({ fromProviderUid, toProviderUid, resourceType, claimUid }) => ({
    fromUid: keyOf(fromProviderUid),
    toUid: keyOf(toProviderUid),
    resourceType,
    claimUid: claimUid === '' ? undefined : keyOf(claimUid),
  })),
});

const offersOf = (capacities: readonly Capacity[], at: string): ReadonlyMap<string, Offer> => {
  const offers = new Map<string, Offer>();
  for (const [position, capacity] of capacities.entries()) {
    const { resourceType } = capacity;
    const field = `${at}[${position}]`;
    if (offers.has(resourceType)) {
      throw invalidField(`${field}.resource_type`, `"${resourceType}" stands twice`);
    }
    offers.set(resourceType, offerOf(capacity, field));
  }
  return offers;
};

const offerOf = (capacity: Capacity, at: string): Offer => {
  const { usable, minUnit, maxUnit, stepSize } = capacity;
  const field = (name: string) => `${at}.${name}`;
  return {
    usable: numberOf(field('usable'), usable),
    minUnit: numberOf(field('min_unit'), minUnit) || 1,
    maxUnit: numberOf(field('max_unit'), maxUnit) || numberOf(field('usable'), usable),
    stepSize: numberOf(field('step_size'), stepSize) || 1,
  };
};

const numberOf = (field: string, value: bigint): number => {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalidField(field, 'must be below 2^53');
  return Number(value);
};
