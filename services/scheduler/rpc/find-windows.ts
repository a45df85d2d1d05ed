/** FindWindows: when a request would fit. */
import { create } from '@bufbuild/protobuf';
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import {
  ClaimService,
  type FindWindowsRequest,
  type FindWindowsResponse,
  FindWindowsResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { assertDuration } from '../domain/claim-length.ts';
import { findWindows as windowsFor } from '../domain/find-windows.ts';
import { windowsUnknown } from '../domain/no-capacity.ts';
import { leastAmounts } from '../domain/quota-count.ts';
import { beginsWithin } from '../domain/quota-windows.ts';
import { invalidField, momentOf } from './claim-request.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';
import { searchAtLeader } from './search-request.ts';

const LIMIT_DEFAULT = 5;
const LIMIT_MAX = 100;
const DAY_MS = 86_400_000;
const HORIZON_MS = 90 * DAY_MS;
/** How far ahead a search may look, and how long a window may be. */
const SPAN_MS_MAX = 3_660 * DAY_MS;

export const findWindows = (
  deps: RpcDeps,
  request: FindWindowsRequest,
  context: HandlerContext,
): Promise<FindWindowsResponse> => {
  const asked = askedOf(request);
  const { onBehalfOf, principal } = originOf(context);
  return searchAtLeader(deps, context, {
    request,
    look: (draft) =>
      function* (state, nowMs) {
        const earliestMs = Math.max(asked.earliestMs ?? nowMs, nowMs);
        const latestMs = asked.latestMs ?? earliestMs + Math.max(HORIZON_MS, asked.durationMs);
        assertSpan({ earliestMs, latestMs, durationMs: asked.durationMs });
        const { spec, project, ancestors } = draft;
        assertDuration(draft, state.quotas.find, asked.durationMs);
        const owner = onBehalfOf ?? principal;
        const begins = beginsWithin(
          state.quotas,
          { project, ancestors, owner },
          {
            amounts: leastAmounts(spec),
            durationMs: asked.durationMs,
            range: { fromMs: earliestMs, toMs: latestMs - asked.durationMs },
          },
        );
        const window = { fromMs: earliestMs, toMs: earliestMs + asked.durationMs };
        const { windows, isComplete } = yield* windowsFor(
          state.providers,
          { spec, window, seed: draft.project },
          { ...asked, earliestMs, latestMs, begins },
        );
        if (windows.length === 0 && !isComplete) throw windowsUnknown();
        return create(FindWindowsResponseSchema, {
          windows: windows.map(({ beginMs, latestBeginMs, providers }) => ({
            begin: timestampFromMs(beginMs),
            latestBegin: timestampFromMs(latestBeginMs),
            providers,
          })),
        });
      },
    remote: (transport, options) =>
      createClient(ClaimService, transport).findWindows(request, options),
  });
};

const askedOf = ({ duration, earliest, latest, limit }: FindWindowsRequest) => {
  const ms = duration === undefined ? 0 : durationMs(duration);
  if (ms <= 0) throw invalidField('duration', 'must be longer than nothing');
  if (ms > SPAN_MS_MAX) throw invalidField('duration', 'must be no longer than ten years');
  return {
    durationMs: ms,
    earliestMs: earliest && momentOf(earliest, 'earliest'),
    latestMs: latest && momentOf(latest, 'latest'),
    limit: Math.min(limit === 0 ? LIMIT_DEFAULT : limit, LIMIT_MAX),
  };
};

type Span = {
  readonly earliestMs: number;
  readonly latestMs: number;
  readonly durationMs: number;
};

const assertSpan = ({ earliestMs, latestMs, durationMs: ms }: Span): void => {
  if (latestMs - earliestMs < ms) {
    throw invalidField('latest', 'must leave room for the duration after the earliest begin');
  }
  if (latestMs - earliestMs > SPAN_MS_MAX) {
    throw invalidField('latest', 'must lie within ten years of the earliest begin');
  }
};
