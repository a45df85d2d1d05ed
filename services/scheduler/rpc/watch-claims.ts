import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type ClaimEvent,
  ClaimEventSchema,
  type WatchClaimsRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import type { Access } from '../../runtime/access.ts';
import { accessOf } from '../../runtime/context.ts';
import { outOfRange } from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import { type WatchEvents, type WatchResponse, watchResponses } from '../../runtime/watch.ts';
import { deadlineAfter } from '../../store/coordination/waiting.ts';
import { claimName, keyOf } from '../domain/claim.ts';
import type { ClaimChange } from '../ports.ts';
import {
  claimsBelow,
  type Found,
  isBelow,
  messageOf,
  type Parent,
  parentOf,
  viewsOf,
} from './claims-read.ts';
import type { RpcDeps } from './deps.ts';

const PAGE = 200;
/** How long a token from another replica may be ahead of this one. */
const AHEAD_MS = 5_000;

export async function* watchClaims(
  deps: RpcDeps,
  request: WatchClaimsRequest,
  context: HandlerContext,
): AsyncGenerator<WatchResponse<ClaimEvent>> {
  const { reading } = deps;
  const { signal } = context;
  const parent = parentOf(request.parent);
  await viewsOf(deps, parent, signal);
  const access = () => accessOf(context);
  yield* watchResponses<Found, ClaimEvent, ClaimChange>({
    resumeToken: request.resumeToken,
    signal,
    head: async () => tokenOf(deps, reading.revision()),
    present: async function* () {
      const views = await viewsOf(deps, parent, signal);
      const { project } = parent;
      let page: Found[] = [];
      for (const found of claimsBelow(views, { project, access: access(), after: undefined })) {
        page.push(found);
        if (page.length < PAGE) continue;
        yield page;
        page = [];
      }
      yield page;
    },
    follow: async function* (token) {
      const after = revisionIn(deps, token);
      await untilReached(deps, after, signal);
      for await (const { changes, revision } of reading.follow(after, signal)) {
        yield { changes, token: tokenOf(deps, revision) };
      }
    },
    load: async (uids) => {
      const views = await viewsOf(deps, parent, signal);
      return views.flatMap((view) =>
        uids.flatMap((uid): Found[] => {
          const claim = view.claims.get(uid);
          if (claim === undefined || !isBelow(parent, claim)) return [];
          return access().covers(claim) ? [{ view, claim }] : [];
        }),
      );
    },
    concerns: (change) => concerns(parent, access(), change),
    identify: ({ claim }) => ({ uid: claim.uid, name: claimName(claim) }),
    events: eventsOf(deps),
  });
}

/**
 * A watch that was resumed tells of what is not in its view that it left it, so it must not hear of
 * claims that never were: those of other projects.
 */
const concerns = (parent: Parent, access: Access, { partition, project }: ClaimChange): boolean => {
  if (project !== undefined) {
    const place = { partition, project };
    return isBelow(parent, place) && access.covers(place);
  }
  return (
    access.everything && (isWildcard(parent.partition) || keyOf(parent.partition) === partition)
  );
};

const eventOf = (event: MessageInitShape<typeof ClaimEventSchema>['event']): ClaimEvent =>
  create(ClaimEventSchema, event === undefined ? {} : { event });

const eventsOf = (deps: RpcDeps): WatchEvents<Found, ClaimEvent> => ({
  created: (found) => eventOf({ case: 'created', value: messageOf(deps, found) }),
  updated: (found) => eventOf({ case: 'updated', value: messageOf(deps, found) }),
  deleted: ({ uid, name, leftView }) =>
    eventOf({ case: 'deleted', value: { uid, name, leftView } }),
  synced: () => eventOf({ case: 'synced', value: {} }),
  bookmark: () => eventOf({ case: 'bookmark', value: {} }),
});

const VERSION = 1;

/** Tells the tokens of this installation, and of this life of its store, from others. */
const tokenOf = ({ cluster, incarnation }: RpcDeps, revision: bigint): string =>
  Buffer.from(JSON.stringify([VERSION, cluster, incarnation(), String(revision)])).toString(
    'base64url',
  );

const revisionIn = ({ cluster, incarnation }: RpcDeps, token: string): bigint => {
  try {
    const body: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (!Array.isArray(body)) throw expired();
    const [version, itsCluster, itsIncarnation, revision] = body;
    const isOurs =
      version === VERSION && itsCluster === cluster && itsIncarnation === incarnation();
    if (isOurs && typeof revision === 'string') return BigInt(revision);
  } catch (cause) {
    throw expired(cause);
  }
  throw expired();
};

/**
 * Waits for what another replica has seen already; a token from beyond what there is has expired.
 */
const untilReached = async (
  { clock, reading }: RpcDeps,
  revision: bigint,
  signal: AbortSignal,
): Promise<void> => {
  using limit = deadlineAfter(clock, AHEAD_MS, signal);
  await reading.untilRevision(revision, limit.signal).catch((cause: unknown) => {
    throw expired(cause);
  });
};

const expired = (cause?: unknown) =>
  outOfRange(
    'RESUME_TOKEN_EXPIRED',
    'The token is none of this installation, or too old; start the watch over without a token',
    cause === undefined ? undefined : { cause },
  );
