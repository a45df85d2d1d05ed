import { create, toBinary } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import { type Claim, ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BeginReleaseRequest,
  ClaimService,
  type CreateClaimRequest,
  CreateClaimResponseSchema,
  type FinishReleaseRequest,
  type GetClaimRequest,
  type ListClaimsRequest,
  ListClaimsResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import {
  type DomainError,
  invalidArgument,
  notFound,
  permissionDenied,
} from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, etagOf, openPage } from '../../store/sql/page.ts';
import { keyOf } from '../domain/claim.ts';
import { orderKey } from '../domain/claim-book.ts';
import type { Command } from '../domain/command.ts';
import type { PartitionView } from '../ports.ts';
import { claimMessage } from './claim-message.ts';
import { draftOf, invalidField } from './claim-request.ts';
import {
  CLAIM_NAME,
  claimNotFound,
  claimsBelow,
  findIn,
  messageOf,
  parentOf,
  viewOf,
  viewsOf,
} from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { isRelayed, originOf } from './origin.ts';
import { toLeader, type Ways } from './to-leader.ts';
import { watchClaims } from './watch-claims.ts';

export const claimRpc = (deps: RpcDeps): Implementation =>
  implement(ClaimService, {
    getClaim: async (request, context) => ({ claim: await getClaim(deps, request, context) }),
    listClaims: (request, context) => listClaims(deps, request, context),
    createClaim: async (request, context) =>
      create(CreateClaimResponseSchema, { claim: await createClaim(deps, request, context) }),
    watchClaims: (request, context) => watchClaims(deps, request, context),
    beginRelease: async (request, context) => ({
      claim: await beginRelease(deps, request, context),
    }),
    finishRelease: async (request, context) => ({
      claim: await finishRelease(deps, request, context),
    }),
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

const createClaim = async (
  deps: RpcDeps,
  request: CreateClaimRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  const parent = parentOf(request.parent);
  if (isWildcard(parent.partition) || isWildcard(parent.project)) {
    throw invalidField('parent', 'must name one partition and one project');
  }
  const { signal } = callOf(context);
  const view = await viewOf(deps, parent.partition, signal);
  const project = await deps.projects.find(parent.project, signal);
  if (project === undefined) throw projectNotFound(parent.project);
  const draft = draftOf(request, { uid: deps.random.uid(), project });
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      await checkCodes(deps, request, limit);
      const { validateOnly } = request;
      const origin = originOf(context);
      return shown(
        deps,
        view,
        await leader.submit({ verb: 'create', origin, draft, validateOnly }, limit),
      );
    },
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).createClaim(request, options)).claim,
  });
};

const projectNotFound = (project: string): DomainError =>
  notFound('NOT_FOUND', `The project "projects/${project}" does not exist`, {
    metadata: { name: `projects/${project}`, type: 'runm.project' },
  });

const checkCodes = async (
  { catalogue }: RpcDeps,
  { claim }: CreateClaimRequest,
  signal: AbortSignal,
): Promise<void> => {
  const groups = claim?.spec?.groups ?? [];
  const types = groups.flatMap(({ resources }) => resources.map((one) => one.resourceType));
  const [unknownType] = await catalogue.unknownResourceTypes(types, signal);
  if (unknownType !== undefined) throw unknownCode('UNKNOWN_RESOURCE_TYPE', unknownType);
  const codes = groups
    .flatMap(({ capabilities }) => capabilities)
    .flatMap(({ require, forbid, any }) => [...require, ...forbid, ...any]);
  const [unknownCapability] = await catalogue.unknownCapabilities(codes, signal);
  if (unknownCapability !== undefined) throw unknownCode('UNKNOWN_CAPABILITY', unknownCapability);
};

const unknownCode = (reason: string, code: string): DomainError =>
  invalidArgument(
    reason,
    reason === 'UNKNOWN_CAPABILITY'
      ? `No capability "${code}" is defined; see runm capability list`
      : `There is no resource type "${code}"; see ListResourceTypes`,
    { metadata: { code } },
  );

const beginRelease = async (
  deps: RpcDeps,
  request: BeginReleaseRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  const { view, project, claim } = await named(deps, request.name, context);
  const command: Command = {
    verb: 'begin-release',
    origin: originOf(context),
    ref: { project, claim },
    precondition: (found) => checkEtag(request.etag, etagOf(found, deps.incarnation())),
  };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => shown(deps, view, await leader.submit(command, limit)),
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).beginRelease(request, options)).claim,
  });
};

const finishRelease = async (
  deps: RpcDeps,
  request: FinishReleaseRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  assertService(context);
  const { view, project, claim } = await named(deps, request.name, context);
  const command: Command = {
    verb: 'finish-release',
    origin: originOf(context),
    ref: { project, claim },
    providerUid: keyOf(request.providerUid),
  };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => shown(deps, view, await leader.submit(command, limit)),
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).finishRelease(request, options)).claim,
  });
};

const atLeader = <T>(
  deps: RpcDeps,
  context: HandlerContext,
  { partition }: PartitionView,
  ways: Ways<T>,
): Promise<T> => toLeader(deps, context, { partition, ways });

type Granted = Awaited<ReturnType<NonNullable<ReturnType<RpcDeps['leaders']['local']>>['submit']>>;

const shown = (deps: RpcDeps, view: PartitionView, granted: Granted): Claim | undefined =>
  granted.kind === 'claim'
    ? claimMessage(granted.claim, {
        view,
        incarnation: deps.incarnation(),
        revision: granted.revision,
      })
    : undefined;

/** The parts of a claim's name, within what the caller may see. */
const named = async (deps: RpcDeps, name: string, context: HandlerContext) => {
  const parsed = CLAIM_NAME.parse(name);
  const { access, signal } = callOf(context);
  if (parsed === undefined || !access.covers(parsed)) throw claimNotFound(name);
  const view = await viewOf(deps, parsed.partition, signal);
  return { view, project: parsed.project, claim: parsed.claim };
};

/** What only our own services may do, whatever permissions a person holds. */
export const assertService = (context: HandlerContext): void => {
  if (callOf(context).identity.kind !== 'service') throw notAllowed(context);
};

const notAllowed = (context: HandlerContext): DomainError => {
  const { identity, access } = callOf(context);
  return permissionDenied(
    'NOT_ALLOWED',
    `${identity.principal} may not do this; it is done by services of runmachine`,
    { metadata: { permission: access.permission, principal: identity.principal } },
  );
};
