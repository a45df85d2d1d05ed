import { type CallOptions, type Client, createClient, type Transport } from '@connectrpc/connect';
import { CapacityService } from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import type { Random } from '../../runtime/random.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import type { Offer } from '../domain/amounts.ts';
import { STEP_MS } from '../domain/reservation.ts';
import type { CapacityDecisions } from '../ports.ts';

/**
 * Asks the scheduler's leader before capacity is taken away. Reshape is the call for all of it: it
 * records several providers at once, leaves alone whether they are open for claims, which is
 * machine's to say, and a repeat for the same generations finds what is recorded.
 */
export const capacityDecisions = (transport: Transport, random: Random): CapacityDecisions => {
  const capacities = createClient(CapacityService, transport);
  const claims = createClient(ClaimService, transport);
  return {
    reshape: async ({ partition, parts, moves }, call) => {
      const request = {
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
      };
      await asDomain(capacities.reshape(request, limited(call, STEP_MS)));
    },
    claimsOn: (provider, call) => claimsOn(claims, provider, call),
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

const limited = (call: CallOptions, limitMs: number): CallOptions => ({
  ...call,
  timeoutMs: Math.min(call.timeoutMs ?? limitMs, limitMs),
});

const CLAIMS_MS = 2_000;
const CLAIMS_MAX = 10;

/** Only for people to read: without it the answer is still right. */
const claimsOn = async (
  client: Client<typeof ClaimService>,
  { partition, uid: providerUid }: { readonly partition: string; readonly uid: string },
  call: CallOptions,
): Promise<readonly string[]> => {
  const parent = `partitions/${partition}/projects/-`;
  try {
    const request = { parent, providerUid, pageSize: 8 * CLAIMS_MAX };
    const { allocations } = await client.listAllocations(request, limited(call, CLAIMS_MS));
    const held = allocations.filter(({ allocation }) => allocation?.finishTime === undefined);
    return [...new Set(held.map(({ claim }) => claim))].slice(0, CLAIMS_MAX);
  } catch {
    return [];
  }
};
