/** GetClaim, ListClaims, WatchClaims and the other reads. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  createClient,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect';
import { type Claim, ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimService,
  type GetClaimRequest,
  type ListClaimsRequest,
  ListClaimsResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { openPage } from '../../store/sql/page.ts';
import { keyOf } from '../domain/claim.ts';
import { orderKey } from '../domain/claim-book.ts';
import { atLeader, named } from './claim-calls.ts';
import { claimNotFound, claimsBelow, findIn, messageOf, parentOf, viewsOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { isRelayed } from './origin.ts';
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
  listClaimCandidates: notServed,
  findWindows: notServed,
  explainClaim: notServed,
  listAllocations: notServed,
  reportUsage: notServed,
});

const notServed = (): never => {
  throw new ConnectError('This release does not serve it yet', Code.Unimplemented);
};

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
  const found = findIn(view, project, claim);
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

/** Pages end at this size, so that a message stays small. */
const PAGE_BYTES_MAX = 1_048_576;
const PAGE_SIZES = { sizeDefault: 100, sizeMax: 1000 };

const listClaims = async (deps: RpcDeps, request: ListClaimsRequest, context: HandlerContext) => {
  const { access, signal } = callOf(context);
  const parent = parentOf(request.parent);
  const views = await viewsOf(deps, parent, signal);
  const page = openPage({
    ...PAGE_SIZES,
    pageSize: request.pageSize,
    pageToken: request.pageToken,
    otherArguments: keyOf(request.parent),
    incarnation: deps.incarnation(),
  });
  const after = page.after?.map(String);
  const response = create(ListClaimsResponseSchema);
  let bytes = 0;
  let last: readonly string[] = [];
  for (const found of claimsBelow(views, { project: parent.project, access, after })) {
    const message = messageOf(deps, found);
    bytes += toBinary(ClaimSchema, message).length;
    const isFull = response.claims.length >= page.size || bytes > PAGE_BYTES_MAX;
    if (isFull && response.claims.length > 0) {
      response.nextPageToken = page.tokenAt(last);
      break;
    }
    response.claims.push(message);
    last = orderKey(found.claim);
  }
  return response;
};
