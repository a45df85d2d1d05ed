/** ListClaimCandidates: where a claim could be placed now, with what its providers have in use. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import {
  type CandidateProviderSchema,
  type ClaimCandidateSchema,
  ClaimService,
  type ListClaimCandidatesRequest,
  type ListClaimCandidatesResponse,
  ListClaimCandidatesResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { candidatesFor } from '../domain/candidates.ts';
import { allocationsOf } from '../domain/claim.ts';
import { windowOf } from '../domain/claim-length.ts';
import type { Draft } from '../domain/command.ts';
import { type Interval, isWhole, overlaps, peakUse } from '../domain/hold.ts';
import type { PartitionState } from '../domain/partition-state.ts';
import type { Placed } from '../domain/plan.ts';
import type { RpcDeps } from './deps.ts';
import { searchAtLeader } from './search-request.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 1_000;
/** Placements of all candidates of one answer: a message stays small, and so does the search. */
const PLACEMENTS_MAX = 4_096;

export const listClaimCandidates = (
  deps: RpcDeps,
  request: ListClaimCandidatesRequest,
  context: HandlerContext,
): Promise<ListClaimCandidatesResponse> => {
  // RANDOM without a seed is another one for every call; all else is the same on the same state.
  const seed = deps.random.requestId();
  return searchAtLeader(deps, context, {
    request,
    look: (draft) =>
      function* (state, nowMs) {
        const { spec } = draft;
        const window = windowOf(draft, state.quotas.find, { nowMs, at: 'spec' });
        const asked = { spec, window, seed: spec.ranking === 'random' ? seed : draft.project };
        const plans = yield* candidatesFor(state.providers, asked, limitOf(request, draft));
        const uids = new Set(plans.flatMap(({ providers }) => providers.map(({ uid }) => uid)));
        return create(ListClaimCandidatesResponseSchema, {
          candidates: plans.map((plan) => candidateOf(draft, plan)),
          providers: [...uids].sort().map((uid) => providerOf(state, uid, window)),
        });
      },
    remote: (transport, options) =>
      createClient(ClaimService, transport).listClaimCandidates(request, options),
  });
};

const limitOf = ({ limit }: ListClaimCandidatesRequest, { spec }: Draft): number => {
  const wanted = Math.min(limit === 0 ? LIMIT_DEFAULT : limit, LIMIT_MAX);
  const each = spec.count * spec.groups.reduce((sum, group) => sum + group.resources.length, 0);
  return Math.max(1, Math.min(wanted, Math.floor(PLACEMENTS_MAX / each)));
};

const candidateOf = (
  { spec }: Draft,
  { providers, placements }: Placed,
): MessageInitShape<typeof ClaimCandidateSchema> => ({
  allocations: allocationsOf({ spec, providers, placements }).map(
    ({ amount, finishMs: _, ...rest }) => ({ ...rest, amount: BigInt(amount) }),
  ),
});

const providerOf = (
  state: PartitionState,
  uid: string,
  window: Interval,
): MessageInitShape<typeof CandidateProviderSchema> => {
  const facts = state.providers.factsOf(uid);
  const holds = [...state.providers.holdsOn(uid)].filter((hold) => overlaps(hold, window));
  const isTaken = holds.some(isWhole);
  return {
    providerUid: uid,
    provider: facts?.name ?? '',
    generation: BigInt(facts?.generation ?? 0),
    resources: [...state.offersOf(uid)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([resourceType, { usable }]) => ({
        resourceType,
        usable: BigInt(usable),
        used: BigInt(isTaken ? usable : peakUse(holds, resourceType, window)),
      })),
  };
};
