/**
 * The scheduler as work sees it. Claims are made in the caller's name, everything else in this
 * service's own.
 */
import { create } from '@bufbuild/protobuf';
import { createClient, type Transport } from '@connectrpc/connect';
import {
  CapacityService,
  SetCapacityRequestSchema,
} from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { ownClaimId } from '../domain/claim.ts';
import type { Machine } from '../domain/machine.ts';
import { failureOf } from '../domain/operation.ts';
import type { SchedulerPort } from '../neighbours-port.ts';
import { createClaimMaker, optionsFor } from './claim-making.ts';
import { claimView, followedClaim } from './claim-reading.ts';

export const createSchedulerClient = (transport: Transport): SchedulerPort => {
  const claims = createClient(ClaimService, transport);
  const capacities = createClient(CapacityService, transport);
  const makeClaim = createClaimMaker(transport);
  const findClaim: SchedulerPort['findClaim'] = async (name, caller, signal) => {
    try {
      const { claim } = await asDomain(claims.getClaim({ name }, optionsFor(caller, signal)));
      return claim === undefined ? undefined : claimView(claim);
    } catch (error) {
      if (isDomainError(error, 'not_found')) return undefined;
      throw error;
    }
  };
  return {
    findClaim,
    claim: async (asked, signal) => {
      try {
        return { kind: 'held', claim: claimView(await makeClaim(asked, signal)) };
      } catch (error) {
        if (!isDomainError(error)) throw error;
        // An earlier operation on this machine may have made it and died before recording it.
        if (error.kind === 'already_exists') {
          const claim = await findClaim(ownClaimName(asked.machine), undefined, signal);
          if (claim?.consumerUid === asked.machine.uid) return { kind: 'held', claim };
        }
        if (isWorthRepeating(error.kind)) throw error;
        return { kind: 'refused', failure: failureOf(error) };
      }
    },
    beginRelease: async (name, requestId, signal) => {
      await orGone(
        asDomain(claims.beginRelease({ name, requestId }, optionsFor(undefined, signal))),
      );
    },
    finishRelease: async ({ name, providerUid, requestId }, signal) => {
      const request = { name, providerUid, requestId };
      await orGone(asDomain(claims.finishRelease(request, optionsFor(undefined, signal))));
    },
    tell: async ({ provider, offers, closed, requestId }, signal) => {
      const request = create(SetCapacityRequestSchema, {
        parent: `partitions/${provider.partition}`,
        providerUid: provider.uid,
        inventoryGeneration: BigInt(provider.generation),
        capacities: offers.map((offer) => ({
          resourceType: offer.resourceType,
          usable: tellable(offer.usable),
          minUnit: tellable(offer.minUnit),
          maxUnit: tellable(offer.maxUnit),
          stepSize: tellable(offer.stepSize),
        })),
        closed,
        requestId,
      });
      await asDomain(capacities.setCapacity(request, optionsFor(undefined, signal)));
    },
    usage: async ({ partition, providerUid }, signal) => {
      const request = { parent: `partitions/${partition}`, providerUid, pageSize: 1 };
      const { usages } = await asDomain(
        capacities.listUsage(request, optionsFor(undefined, signal)),
      );
      const found = usages.find((usage) => usage.providerUid === providerUid);
      return found === undefined
        ? undefined
        : { closed: found.closed, inUse: found.resources.some(({ used }) => used > 0n) };
    },
    watchClaims: async function* (partition, signal) {
      const parent = `partitions/${partition}/projects/-`;
      for await (const { events } of claims.watchClaims({ parent }, { signal })) {
        for (const { event } of events) {
          if (event.case === 'created' || event.case === 'updated')
            yield followedClaim(event.value);
        }
      }
    },
  };
};

/** The scheduler takes no larger numbers; as no request is larger, they say the same. */
const tellable = (amount: number): bigint => BigInt(Math.min(amount, Number.MAX_SAFE_INTEGER));

export const ownClaimName = (machine: Machine): string =>
  `partitions/${machine.partition}/projects/${machine.project}/claims/${ownClaimId(machine.uid)}`;

/** Nothing was decided, or nobody knows: the same request may be sent again. */
export const isWorthRepeating = (kind: string): boolean =>
  kind === 'unavailable' ||
  kind === 'deadline_exceeded' ||
  kind === 'cancelled' ||
  kind === 'aborted';

/** A claim that the scheduler has already forgotten has been given back. */
const orGone = async (call: Promise<unknown>): Promise<void> => {
  try {
    await call;
  } catch (error) {
    if (!isDomainError(error, 'not_found')) throw error;
  }
};
