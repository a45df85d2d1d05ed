import { type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  CapacityService,
  type ProviderUsage,
} from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { type Amounts, usable } from '../domain/amounts.ts';
import type { CapacityDecisions } from '../ports.ts';

const CALL_MS = 10_000;

/**
 * Asks the scheduler's leader before capacity is taken away. A provider that the leader has no record of holds no
 * claim and gets none: what is recorded for it later starts from the new amounts.
 */
export const capacityDecisions = (transport: Transport): CapacityDecisions => {
  const client = createClient(CapacityService, transport);
  return {
    shrink: async ({ partition, uid, generation, amounts, requestId }, signal) => {
      const known = await usageOf(client, partition, uid, signal);
      if (!known) return;
      await asDomain(
        client.setCapacity(
          {
            parent: `partitions/${partition}`,
            providerUid: uid,
            inventoryGeneration: BigInt(generation),
            capacities: amounts.map(capacityOf),
            closed: known.closed,
            requestId,
          },
          { signal, timeoutMs: CALL_MS },
        ),
      );
    },
    retire: async ({ partition, uid, generation, requestId }, signal) => {
      const known = await usageOf(client, partition, uid, signal);
      if (!known) return;
      await asDomain(
        client.setCapacity(
          {
            parent: `partitions/${partition}`,
            providerUid: uid,
            inventoryGeneration: BigInt(generation),
            capacities: [],
            closed: true,
            requestId,
          },
          { signal, timeoutMs: CALL_MS },
        ),
      );
    },
  };
};

const capacityOf = (amounts: Amounts) => ({
  resourceType: amounts.resourceType,
  usable: usable(amounts),
  minUnit: amounts.minUnit,
  maxUnit: amounts.maxUnit,
  stepSize: amounts.stepSize,
});

const usageOf = async (
  client: Client<typeof CapacityService>,
  partition: string,
  providerUid: string,
  signal: AbortSignal,
): Promise<ProviderUsage | undefined> => {
  const answer = await asDomain(
    client.listUsage(
      { parent: `partitions/${partition}`, providerUid, pageSize: 1 },
      { signal, timeoutMs: CALL_MS },
    ),
  );
  return answer.usages.find((usage) => usage.providerUid === providerUid);
};
