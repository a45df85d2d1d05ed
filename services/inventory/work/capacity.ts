import { type CallOptions, type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  CapacityService,
  type ProviderUsage,
} from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
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
    reshape: async ({ partition, parts, moves }, call) => {
      await asDomain(
        client.reshape(
          {
            parent: `partitions/${partition}`,
            providers: parts.map(({ uid, generation, offers }) => ({
              providerUid: uid,
              inventoryGeneration: BigInt(generation),
              capacities: offers.map(tellable),
            })),
            moves: moves.map(({ fromUid, toUid, resourceType, claimUid }) => ({
              fromProviderUid: fromUid,
              toProviderUid: toUid,
              resourceType,
              claimUid,
            })),
            requestId: random.requestId(),
          },
          limited(call),
        ),
      );
    },
    claimsOn: (provider, call) => claimsOn(createClient(ClaimService, transport), provider, call),
  };
};

const CLAIMS_MS = 2_000;
const CLAIMS_MAX = 10;

/** Only for people to read: without it the answer is still right. */
const claimsOn = async (
  client: Client<typeof ClaimService>,
  { partition, uid: providerUid }: Pick<Retirement, 'partition' | 'uid'>,
  call: CallOptions,
): Promise<readonly string[]> => {
  const parent = `partitions/${partition}/projects/-`;
  const options = { ...call, timeoutMs: Math.min(call.timeoutMs ?? CLAIMS_MS, CLAIMS_MS) };
  try {
    const request = { parent, providerUid, pageSize: 8 * CLAIMS_MAX };
    const { allocations } = await client.listAllocations(request, options);
    const held = allocations.filter(({ allocation }) => allocation?.finishTime === undefined);
    return [...new Set(held.map(({ claim }) => claim))].slice(0, CLAIMS_MAX);
  } catch {
    return [];
  }
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
