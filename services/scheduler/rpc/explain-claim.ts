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
import type { Draft, Origin } from '../domain/command.ts';
import { prepare } from '../domain/decide-create.ts';
import { explain } from '../domain/explain.ts';
import type { PartitionState } from '../domain/partition-state.ts';
import type { Funnel } from '../domain/plan.ts';
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
        const allowed = allowedIn(state, { draft, origin, nowMs });
        const window = allowed.window ?? {
          fromMs: Math.max(spec.acquireMs ?? nowMs, nowMs),
          toMs: spec.releaseMs ?? Infinity,
        };
        const found = yield* explain(state.providers, { spec, window, seed: draft.project });
        return create(ExplainClaimResponseSchema, {
          fits: found.fits && allowed.obstacle === '',
          groups: found.groups.map(funnelMessage),
          obstacle: found.obstacle ?? allowed.obstacle,
          suggestions: [...found.suggestions],
        });
      },
    remote: (transport, options) =>
      createClient(ClaimService, transport).explainClaim(request, options),
  });
};

type Asked = { readonly draft: Draft; readonly origin: Origin; readonly nowMs: number };

/** What quotas say, and how long the claim would be. Errors: those that are about the request. */
const allowedIn = (state: PartitionState, { draft, origin, nowMs }: Asked) => {
  try {
    const { window } = prepare(state, { draft, origin, at: 'spec' }, { nowMs, logNumber: 0 });
    return { window, obstacle: '' };
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
