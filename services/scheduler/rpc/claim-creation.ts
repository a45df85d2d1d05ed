/** CreateClaim, ExecuteClaim and BatchCreateClaims. */
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
  ClaimService,
  type CreateClaimRequest,
  CreateClaimResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { type DomainError, notFound } from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import type { Draft } from '../domain/command.ts';
import type { PartitionView } from '../ports.ts';
import { atLeader, runsPartition, shown } from './claim-calls.ts';
import { type DraftRequest, draftOf, invalidField } from './claim-request.ts';
import { parentOf, viewOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';
import { checkNames } from './request-names.ts';

type Creations = Pick<
  ServiceImpl<typeof ClaimService>,
  'createClaim' | 'executeClaim' | 'batchCreateClaims'
>;

export const claimCreations = (deps: RpcDeps): Creations => ({
  createClaim: async (request, context) =>
    create(CreateClaimResponseSchema, { claim: await createClaim(deps, request, context) }),
  executeClaim: notServed,
  batchCreateClaims: notServed,
});

const notServed = (): never => {
  throw new ConnectError('This release does not serve it yet', Code.Unimplemented);
};

const createClaim = async (
  deps: RpcDeps,
  request: CreateClaimRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  const place = await placeIn(deps, request.parent, context);
  const { view } = place;
  const draft = draftIn(deps, request, place);
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const { partition } = view;
      await checkNames(deps, { partition, spec: draft.spec, at: 'claim.spec', signal: limit });
      const { validateOnly } = request;
      const command = { verb: 'create', origin: originOf(context), draft, validateOnly } as const;
      return shown(deps, view, await leader.submit(command, limit));
    },
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).createClaim(request, options)).claim,
  });
};

type Place = Pick<Draft, 'project' | 'ancestors' | 'isUnbounded'> & {
  readonly view: PartitionView;
};

/** Where a new claim goes. Errors: not_found for a partition or a project that does not exist. */
const placeIn = async (deps: RpcDeps, name: string, context: HandlerContext): Promise<Place> => {
  const parent = parentOf(name);
  if (isWildcard(parent.partition) || isWildcard(parent.project)) {
    throw invalidField('parent', 'must name one partition and one project');
  }
  const { signal } = callOf(context);
  const view = await viewOf(deps, parent.partition, signal);
  const project = await deps.projects.find(parent.project, signal);
  if (project === undefined) throw projectNotFound(parent.project);
  return {
    view,
    project: project.id,
    ancestors: project.ancestors,
    isUnbounded: runsPartition(context, view.partition),
  };
};

const draftIn = (
  { random }: RpcDeps,
  request: DraftRequest,
  { project, ancestors, isUnbounded }: Place,
): Draft =>
  draftOf(request, {
    uid: random.uid(),
    project,
    ancestors,
    isUnbounded: isUnbounded ?? false,
  });

export const projectNotFound = (project: string): DomainError =>
  notFound('NOT_FOUND', `The project "projects/${project}" does not exist`, {
    metadata: { name: `projects/${project}`, type: 'runm.project' },
  });
