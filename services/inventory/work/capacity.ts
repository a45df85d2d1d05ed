import { type CallOptions, type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  CapacityService,
  type ProviderUsage,
} from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import type { Random } from '../../runtime/random.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import type { Offer } from '../domain/amounts.ts';
import type { CapacityChange, CapacityDecisions, Retirement } from '../ports.ts';

/** For each of the two calls; together they stay below RESERVED_MS. */
const CALL_MS = 10_000;

/**
 * Asks the scheduler's leader before capacity is taken away. Whether the provider is open for
 * claims is machine's to say, so it is told again as it was; one without a record stays closed, as
 * it is.
 */
export const capacityDecisions = (transport: Transport, random: Random): CapacityDecisions => {
  const client = createClient(CapacityService, transport);
  const set = async (
    { partition, uid, generation, offers }: CapacityChange,
    closed: boolean,
    call: CallOptions,
  ): Promise<void> => {
    await asDomain(
      client.setCapacity(
        {
          parent: `partitions/${partition}`,
          providerUid: uid,
          inventoryGeneration: BigInt(generation),
          capacities: offers.map(tellable),
          closed,
          requestId: random.requestId(),
        },
        limited(call),
      ),
    );
  };
  return {
    reduce: async (change, call) => {
      const known = await usageOf(client, change, call);
      await set(change, known?.closed ?? true, call);
    },
    retire: (change, call) => set({ ...change, offers: [] }, true, call),
  };
};

/** The scheduler takes no larger numbers; as no request is larger, they say the same. */
const TOLD_MAX = BigInt(Number.MAX_SAFE_INTEGER);

const tellable = ({ resourceType, usable, minUnit, maxUnit, stepSize }: Offer): Offer => ({
  resourceType,
  usable: atMost(usable),
  minUnit: atMost(minUnit),
  maxUnit: atMost(maxUnit),
  stepSize: atMost(stepSize),
});

const atMost = (amount: bigint): bigint => (amount < TOLD_MAX ? amount : TOLD_MAX);

const limited = (call: CallOptions): CallOptions => ({
  ...call,
  timeoutMs: Math.min(call.timeoutMs ?? CALL_MS, CALL_MS),
});

const usageOf = async (
  client: Client<typeof CapacityService>,
  { partition, uid: providerUid }: Retirement,
  call: CallOptions,
): Promise<ProviderUsage | undefined> => {
  const parent = `partitions/${partition}`;
  const answer = await asDomain(
    client.listUsage({ parent, providerUid, pageSize: 1 }, limited(call)),
  );
  return answer.usages.find((usage) => usage.providerUid === providerUid);
};
