/** CreateClaim, ExecuteClaim and BatchCreateClaims. */
import { createClient, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import {
  type BatchCreateClaimsRequest,
  type BatchCreateClaimsResponse,
  ClaimService,
  type CreateClaimRequest,
  type CreateClaimResponse,
  CreateClaimResponseSchema,
  type ExecuteClaimRequest,
  type ExecuteClaimResponse,
  ExecuteClaimResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { type DomainError, isDomainError, notFound } from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import type { Draft } from '../domain/command.ts';
import type { PartitionView } from '../ports.ts';
import { batchAnswer } from './batch-answer.ts';
import { createAll } from './batch-creation.ts';
import { candidateOf } from './candidate.ts';
import { atLeader, claimAnswer, runsPartition } from './claim-calls.ts';
import { type DraftRequest, draftOf, invalidField } from './claim-request.ts';
import { parentOf, viewOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { callerOf, originOf } from './origin.ts';
import { checkNames } from './request-names.ts';

type Creations = Pick<
  ServiceImpl<typeof ClaimService>,
  'createClaim' | 'executeClaim' | 'batchCreateClaims'
>;

export const claimCreations = (deps: RpcDeps): Creations => ({
  createClaim: (request, context) => createClaim(deps, request, context),
  executeClaim: (request, context) => executeClaim(deps, request, context),
  batchCreateClaims: (request, context) => batchCreateClaims(deps, request, context),
});

const createClaim = async (
  deps: RpcDeps,
  request: CreateClaimRequest,
  context: HandlerContext,
): Promise<CreateClaimResponse> => {
  const place = await placeIn(deps, request.parent, context);
  const { view } = place;
  const draft = draftIn(deps, request, place);
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const { partition } = view;
      await checkNames(deps, { partition, spec: draft.spec, at: 'claim.spec', signal: limit });
      const { validateOnly } = request;
      const command = { verb: 'create', origin: originOf(context), draft, validateOnly } as const;
      const granted = await leader.submit(command, limit);
      return claimAnswer(CreateClaimResponseSchema, { deps, view, granted });
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).createClaim(request, options),
  });
};

const executeClaim = async (
  deps: RpcDeps,
  request: ExecuteClaimRequest,
  context: HandlerContext,
): Promise<ExecuteClaimResponse> => {
  const place = await placeIn(deps, request.parent, context);
  const { view } = place;
  const draft = draftIn(deps, request, place);
  const candidate = candidateOf(draft.spec, request.candidate);
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const { partition } = view;
      await checkNames(deps, { partition, spec: draft.spec, at: 'claim.spec', signal: limit });
      const command = { verb: 'execute', origin: originOf(context), draft, candidate } as const;
      const granted = await leader.submit(command, limit);
      return claimAnswer(ExecuteClaimResponseSchema, { deps, view, granted });
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).executeClaim(request, options),
  });
};

/** Each for itself: what is wrong with one says nothing of the others. */
const batchCreateClaims = async (
  deps: RpcDeps,
  request: BatchCreateClaimsRequest,
  context: HandlerContext,
): Promise<BatchCreateClaimsResponse> => {
  const place = await placeIn(deps, request.parent, context);
  const { view } = place;
  return atLeader(deps, context, view, {
    local: async (leader, signal) => {
      const outcomes = await createAll(
        {
          deps,
          partition: view.partition,
          caller: callerOf(context),
          draftOf: (claimId, content) => ({ ...placed(deps, place), claimId, ...content }),
          leader,
          signal,
        },
        request.claims,
      );
      // Another leads: the whole call goes there, what was created is known again.
      for (const one of outcomes) {
        if (one.status === 'rejected' && isNotLeader(one.reason)) throw one.reason;
      }
      return batchAnswer({ deps, view }, outcomes);
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).batchCreateClaims(request, options),
  });
};

const isNotLeader = (reason: unknown): boolean =>
  isDomainError(reason, 'unavailable', 'NOT_LEADER');

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

const draftIn = (deps: RpcDeps, request: DraftRequest, place: Place): Draft =>
  draftOf(request, placed(deps, place));

const placed = ({ random }: RpcDeps, { project, ancestors, isUnbounded }: Place) => ({
  uid: random.uid(),
  project,
  ancestors,
  isUnbounded: isUnbounded ?? false,
});

export const projectNotFound = (project: string): DomainError =>
  notFound('NOT_FOUND', `The project "projects/${project}" does not exist`, {
    metadata: { name: `projects/${project}`, type: 'runm.project' },
  });
