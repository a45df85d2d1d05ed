/** CreateClaim and what changes a claim that is there. */
import { create } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  createClient,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BeginReleaseRequest,
  ClaimService,
  type CreateClaimRequest,
  CreateClaimResponseSchema,
  type FinishReleaseRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { type DomainError, invalidArgument, notFound } from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import { keyOf } from '../domain/claim.ts';
import type { Command } from '../domain/command.ts';
import { assertService, atLeader, named, shown } from './claim-calls.ts';
import { draftOf, invalidField } from './claim-request.ts';
import { parentOf, viewOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';

type Changes = Pick<
  ServiceImpl<typeof ClaimService>,
  | 'createClaim'
  | 'executeClaim'
  | 'batchCreateClaims'
  | 'extendClaim'
  | 'shortenClaim'
  | 'transferClaim'
  | 'beginRelease'
  | 'finishRelease'
>;

export const claimChanges = (deps: RpcDeps): Changes => ({
  createClaim: async (request, context) =>
    create(CreateClaimResponseSchema, { claim: await createClaim(deps, request, context) }),
  executeClaim: notServed,
  batchCreateClaims: notServed,
  extendClaim: notServed,
  shortenClaim: notServed,
  transferClaim: notServed,
  beginRelease: async (request, context) => ({
    claim: await beginRelease(deps, request, context),
  }),
  finishRelease: async (request, context) => ({
    claim: await finishRelease(deps, request, context),
  }),
});

const notServed = (): never => {
  throw new ConnectError('This release does not serve it yet', Code.Unimplemented);
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
