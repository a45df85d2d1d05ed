/** CreateClaim, ExecuteClaim and BatchCreateClaims. */
import { create } from '@bufbuild/protobuf';
import { createClient, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BatchCreateClaimsRequest,
  type BatchCreateClaimsResponse,
  BatchCreateClaimsResponseSchema,
  ClaimService,
  type CreateClaimRequest,
  CreateClaimResponseSchema,
  type ExecuteClaimRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { type DomainError, isDomainError, notFound } from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import type { Draft } from '../domain/command.ts';
import type { PartitionView } from '../ports.ts';
import { createBatchItems } from './batch-items.ts';
import { batchResult } from './batch-result.ts';
import { candidateOf } from './candidate.ts';
import { atLeader, runsPartition, shown } from './claim-calls.ts';
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
  createClaim: async (request, context) =>
    create(CreateClaimResponseSchema, { claim: await createClaim(deps, request, context) }),
  executeClaim: async (request, context) => ({
    claim: await executeClaim(deps, request, context),
  }),
  batchCreateClaims: (request, context) => batchCreateClaims(deps, request, context),
});

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

const executeClaim = async (
  deps: RpcDeps,
  request: ExecuteClaimRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  const place = await placeIn(deps, request.parent, context);
  const { view } = place;
  const draft = draftIn(deps, request, place);
  const candidate = candidateOf(draft.spec, request.candidate);
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const { partition } = view;
      await checkNames(deps, { partition, spec: draft.spec, at: 'claim.spec', signal: limit });
      const command = { verb: 'execute', origin: originOf(context), draft, candidate } as const;
      return shown(deps, view, await leader.submit(command, limit));
    },
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).executeClaim(request, options)).claim,
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
    local: async (leader, limit) => {
      const caller = callerOf(context);
      const read = createBatchItems(deps, { partition: view.partition, signal: limit });
      const results = request.claims.map(async (item, at) => {
        const { content, argumentHash } = await read(item);
        const draft = { ...placed(deps, place), claimId: item.claimId, ...content };
        // A request of its own: known again by its place in the batch and what it says.
        const origin = { ...caller, requestId: `${caller.requestId}/${at}`, argumentHash };
        const command = { verb: 'create', origin, draft, validateOnly: false } as const;
        return shown(deps, view, await leader.submit(command, limit));
      });
      const settled = await Promise.allSettled(results);
      // Another leads: the whole call goes there, what was created is known again.
      for (const one of settled) {
        if (one.status === 'rejected' && isNotLeader(one.reason)) throw one.reason;
      }
      return create(BatchCreateClaimsResponseSchema, { results: settled.map(batchResult) });
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
