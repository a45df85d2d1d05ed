import { createClient } from '@connectrpc/connect';
import type { Claim } from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimCandidate,
  ClaimService,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Context } from '../../command.ts';
import { UsageError } from '../../usage-error.ts';

export const CANDIDATES_MAX = 1000;

/** "2" of --candidate: the second that `claim candidates` lists. */
export const parseRank = (text: string): number => {
  const rank = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  if (rank < 1 || rank > CANDIDATES_MAX) {
    throw new UsageError(`--candidate: "${text}" is not a number from 1 to ${CANDIDATES_MAX}`);
  }
  return rank;
};

type Wanted = { readonly parent: string; readonly claimId: string; readonly claim: Claim };

/** Makes the claim on that candidate and nowhere else. */
export const executeClaim = async (
  context: Context,
  { parent, claimId, claim }: Wanted,
  rank: number,
): Promise<Claim | undefined> => {
  const client = createClient(ClaimService, context.transport());
  const candidate = await candidateOf(context, { parent, claim }, rank);
  const requestId = context.random.requestId();
  const request = { parent, claimId, claim, candidate, requestId };
  return (await client.executeClaim(request, callOptions(context))).claim;
};

const candidateOf = async (
  context: Context,
  { parent, claim }: Pick<Wanted, 'parent' | 'claim'>,
  rank: number,
): Promise<ClaimCandidate> => {
  const { spec } = claim;
  if (!spec) throw new UsageError('the file says no spec');
  const client = createClient(ClaimService, context.transport());
  const request = { parent, spec, limit: rank };
  const { candidates } = await client.listClaimCandidates(request, callOptions(context));
  const found = candidates[rank - 1];
  if (found) return found;
  throw new UsageError(
    candidates.length ? `there are only ${candidates.length} candidates` : 'nothing fits',
    'see `runm claim candidates` and `runm claim explain` with the same request',
  );
};
