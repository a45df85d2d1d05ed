/** GetClaim, ListClaims, WatchClaims and the other reads. */
import { createClient, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimService,
  type GetClaimRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { atLeader, named } from './claim-calls.ts';
import { claimNotFound, findIn, messageOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { explainClaim } from './explain-claim.ts';
import { findWindows } from './find-windows.ts';
import { listAllocations } from './list-allocations.ts';
import { listClaimCandidates } from './list-candidates.ts';
import { listClaims } from './list-claims.ts';
import { isReached } from './min-revision.ts';
import { isRelayed } from './origin.ts';
import { createReportUsage } from './report-usage.ts';
import { watchClaims } from './watch-claims.ts';

type Reads = Pick<
  ServiceImpl<typeof ClaimService>,
  | 'getClaim'
  | 'listClaims'
  | 'watchClaims'
  | 'listClaimCandidates'
  | 'findWindows'
  | 'explainClaim'
  | 'listAllocations'
  | 'reportUsage'
>;

export const claimReads = (deps: RpcDeps): Reads => ({
  getClaim: async (request, context) => ({ claim: await getClaim(deps, request, context) }),
  listClaims: (request, context) => listClaims(deps, request, context),
  watchClaims: (request, context) => watchClaims(deps, request, context),
  listClaimCandidates: (request, context) => listClaimCandidates(deps, request, context),
  findWindows: (request, context) => findWindows(deps, request, context),
  explainClaim: (request, context) => explainClaim(deps, request, context),
  listAllocations: (request, context) => listAllocations(deps, request, context),
  reportUsage: createReportUsage(deps),
});

/**
 * Served from what is followed here; what is not found here may be newer than that, and the leader
 * knows.
 */
const getClaim = async (
  deps: RpcDeps,
  request: GetClaimRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  const { view, project, claim } = await named(deps, request.name, context);
  const wanted = { views: [view], revision: request.minRevision };
  const isHere = await isReached(deps, context, wanted);
  const found = isHere ? findIn(view, project, claim) : undefined;
  if (found !== undefined) return messageOf(deps, { view, claim: found });
  const address = deps.leaders.addressOf(view.partition);
  if (address === undefined || isRelayed(context)) throw claimNotFound(request.name);
  return atLeader(deps, context, view, {
    local: async () => {
      const newer = findIn(view, project, claim);
      if (newer === undefined) throw claimNotFound(request.name);
      return messageOf(deps, { view, claim: newer });
    },
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).getClaim(request, options)).claim,
  });
};
