/** ExplainClaim: whether a request fits now, and what each constraint removes. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import {
  ClaimService,
  type ExplainClaimRequest,
  type ExplainClaimResponse,
  ExplainClaimResponseSchema,
  type GroupFunnelSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { DomainError } from '../../runtime/errors.ts';
import { windowOf } from '../domain/claim-length.ts';
import type { Draft } from '../domain/command.ts';
import { explain } from '../domain/explain.ts';
import type { Funnel } from '../domain/plan.ts';
import type { QuotaBook } from '../domain/quota-book.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';
import { searchAtLeader } from './search-request.ts';

export const explainClaim = (
  deps: RpcDeps,
  request: ExplainClaimRequest,
  context: HandlerContext,
): Promise<ExplainClaimResponse> => {
  const origin = originOf(context);
  return searchAtLeader(deps, context, {
    request,
    look: (draft) =>
      function* (state, nowMs) {
        const { spec } = draft;
        const { quotas } = state;
        const allowed = lengthOf(draft, quotas.find, nowMs);
        const window = allowed.window ?? {
          fromMs: Math.max(spec.acquireMs ?? nowMs, nowMs),
          toMs: spec.releaseMs ?? Infinity,
        };
        const { project, ancestors } = draft;
        const who = { project, ancestors, owner: origin.onBehalfOf ?? origin.principal };
        const asked = { spec, window, seed: project };
        const found = yield* explain(state.providers, asked, { quotas, who });
        return create(ExplainClaimResponseSchema, {
          fits: found.fits && allowed.obstacle === '',
          groups: found.groups.map(funnelMessage),
          obstacle: allowed.obstacle || (found.obstacle ?? ''),
          // What is near to a claim that is too long is too long as well.
          suggestions: allowed.window === undefined ? [] : [...found.suggestions],
        });
      },
    remote: (transport, options) =>
      createClient(ClaimService, transport).explainClaim(request, options),
  });
};

/** Whether it may be so long. Errors: those that are about the request. */
const lengthOf = (draft: Draft, find: QuotaBook['find'], nowMs: number) => {
  try {
    return { window: windowOf(draft, find, { nowMs, at: 'spec' }), obstacle: '' };
  } catch (error) {
    if (!(error instanceof DomainError) || error.kind === 'invalid_argument') throw error;
    return { window: undefined, obstacle: error.message };
  }
};

const funnelMessage = (funnel: Funnel): MessageInitShape<typeof GroupFunnelSchema> => {
  const { group, providers, steps, remaining, fitsWithout } = funnel;
  let left = providers;
  return {
    group,
    providers,
    steps: steps.map(({ constraint, removed }) => {
      left -= removed;
      return { constraint, removed, remaining: left };
    }),
    remaining,
    fitsWithout: [...fitsWithout],
  };
};
