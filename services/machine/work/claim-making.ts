/**
 * The claims of machines. Those that are asked for in one turn are made by one call for each caller
 * and project: an item counts as a request of its own, and its claim is found again by its name
 * however it was made.
 */
import { create } from '@bufbuild/protobuf';
import { type CallOptions, createClient, type Transport } from '@connectrpc/connect';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ConsumerSchema } from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import {
  type BatchClaimResult,
  ClaimService,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { derivedRequestId } from '../../runtime/random.ts';
import { asDomain, domainErrorOf } from '../../runtime/rpc/error-reading.ts';
import { errorIn } from '../../runtime/rpc/grpc-status.ts';
import { ON_BEHALF_OF } from '../../runtime/rpc/on-behalf-of.ts';
import { amountsOf, CONSUMER_TYPE, ownClaimId, VIRTUAL_CAPABILITY } from '../domain/claim.ts';
import { isMetal, machineName } from '../domain/machine.ts';
import type { Caller } from '../domain/operation.ts';
import type { SchedulerPort } from '../neighbours-port.ts';
import { createGathered } from './gathered.ts';

type Wanted = Parameters<SchedulerPort['claim']>[0];
type Asked = { readonly wanted: Wanted; readonly signal: AbortSignal };
type Made = PromiseSettledResult<Claim>;

/** Errors: those of CreateClaim. */
export type MakeClaim = (wanted: Wanted, signal: AbortSignal) => Promise<Claim>;

/** As the contract has it. */
const BATCH_MAX = 64;
const CALL_MS = 10_000;

export const createClaimMaker = (transport: Transport): MakeClaim => {
  const claims = createClient(ClaimService, transport);
  const makeOne = async ({ wanted, signal }: Asked): Promise<Claim> => {
    const request = { parent: parentOf(wanted), requestId: wanted.requestId, ...itemOf(wanted) };
    const options = optionsFor(wanted.caller, signal);
    const { claim } = await asDomain(claims.createClaim(request, options));
    return claim ?? nothing();
  };
  const makeAlike = async (all: readonly Asked[]): Promise<readonly Made[]> => {
    const [first, ...others] = all;
    if (first === undefined) return [];
    if (others.length === 0) return Promise.allSettled([makeOne(first)]);
    const { wanted, signal } = first;
    const request = {
      parent: parentOf(wanted),
      // The same for the same claims.
      requestId: derivedRequestId(wanted.requestId, others.map(idOf).join()),
      claims: all.map((one) => itemOf(one.wanted)),
    };
    try {
      const options = optionsFor(wanted.caller, signal);
      const { results } = await asDomain(claims.batchCreateClaims(request, options));
      return all.map((_, at) => madeOf(results[at]?.result));
    } catch (error) {
      if (isDomainError(error, 'unavailable')) throw error;
      return Promise.allSettled(all.map(makeOne));
    }
  };
  const make = createGathered<Asked, Made>(async (all) => {
    const groups = Map.groupBy(
      all,
      ({ wanted }) => `${parentOf(wanted)} ${wanted.caller.onBehalfOf}`,
    );
    const made = new Map<Asked, Made>();
    const settle = async (alike: readonly Asked[]): Promise<void> => {
      const results = await makeAlike(alike).catch((error: unknown) =>
        alike.map((): Made => ({ status: 'rejected', reason: error })),
      );
      for (const [at, one] of alike.entries()) made.set(one, results[at] ?? madeOf(undefined));
    };
    await Promise.all([...groups.values()].map(settle));
    return all.map((one) => made.get(one) ?? madeOf(undefined));
  }, BATCH_MAX);
  return async (wanted, signal) => {
    const made = await make({ wanted, signal });
    if (made.status === 'rejected') throw made.reason;
    return made.value;
  };
};

const idOf = ({ wanted }: Asked): string => wanted.requestId;

type Result = BatchClaimResult['result'] | undefined;

const madeOf = (result: Result): Made => {
  if (result?.case === 'claim') return { status: 'fulfilled', value: result.value };
  const error = result?.case === 'error' ? errorIn(result.value) : noClaim();
  return { status: 'rejected', reason: domainErrorOf(error) ?? error };
};

const noClaim = (): Error => new Error('The scheduler answered without a claim');

const nothing = (): never => {
  throw noClaim();
};

export const optionsFor = (caller: Caller | undefined, signal: AbortSignal): CallOptions => {
  const base = { signal, timeoutMs: CALL_MS };
  return caller === undefined || caller.onBehalfOf === ''
    ? base
    : { ...base, headers: { [ON_BEHALF_OF]: caller.onBehalfOf } };
};

const parentOf = ({ machine }: Wanted): string =>
  `partitions/${machine.partition}/projects/${machine.project}`;

const itemOf = ({ machine, providerUid }: Wanted) => ({
  claimId: ownClaimId(machine.uid),
  claim: {
    spec: {
      consumer: create(ConsumerSchema, {
        type: CONSUMER_TYPE,
        uid: machine.uid,
        name: machineName(machine),
      }),
      groups: [
        {
          name: 'main',
          resources: amountsOf(machine).map(({ resourceType, amount }) => ({
            resourceType,
            amount: BigInt(amount),
          })),
          capabilities: isMetal(machine) ? [] : [{ require: [VIRTUAL_CAPABILITY] }],
          providers: providerUid === '' ? [] : [providerUid],
        },
      ],
    },
  },
});
