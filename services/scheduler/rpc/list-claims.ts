/** ListClaims: pages in the order of names, or what a filter names, found by its index. */
import { create, toBinary } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import { ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimFilter,
  ClaimService,
  type ListClaimsRequest,
  type ListClaimsResponse,
  ListClaimsResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import type { Access } from '../../runtime/access.ts';
import { callOf } from '../../runtime/context.ts';
import { PAGE_BYTES_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from '../../runtime/message-page.ts';
import { openPage } from '../../store/sql/page.ts';
import { type HeldProvider, keyOf } from '../domain/claim.ts';
import { orderKey } from '../domain/claim-book.ts';
import type { PartitionView } from '../ports.ts';
import { atLeader } from './claim-calls.ts';
import { stateMessage } from './claim-message.ts';
import {
  type After,
  claimsBelow,
  compareKeys,
  type Found,
  isBelow,
  messageOf,
  type Parent,
  parentOf,
  viewsOf,
} from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { isReached } from './min-revision.ts';

/** Claims that one page looks at; where few meet the filter it is short and has a next. */
const LOOKS_MAX = 10_000;

export const listClaims = async (
  deps: RpcDeps,
  request: ListClaimsRequest,
  context: HandlerContext,
): Promise<ListClaimsResponse> => {
  const { access, signal } = callOf(context);
  const parent = parentOf(request.parent);
  const views = await viewsOf(deps, parent, signal);
  const [view] = views;
  const isHere = await isReached(deps, context, { views, revision: request.minRevision });
  if (isHere || view === undefined) return pageOf(deps, request, { views, parent, access });
  return atLeader(deps, context, view, {
    local: async () => pageOf(deps, request, { views, parent, access }),
    remote: (transport, options) =>
      createClient(ClaimService, transport).listClaims(request, options),
  });
};

type Scope = {
  readonly views: readonly PartitionView[];
  readonly parent: Parent;
  readonly access: Access;
};

const pageOf = (deps: RpcDeps, request: ListClaimsRequest, scope: Scope): ListClaimsResponse => {
  const { filter } = request;
  const page = openPage({
    sizeDefault: PAGE_SIZE_DEFAULT,
    sizeMax: PAGE_SIZE_MAX,
    pageSize: request.pageSize,
    pageToken: request.pageToken,
    // What was asked for without a filter by an older program has this form.
    otherArguments: filter === undefined ? keyOf(request.parent) : [keyOf(request.parent), filter],
    incarnation: deps.incarnation(),
  });
  const after = page.after?.map(String);
  const response = create(ListClaimsResponseSchema);
  let bytes = 0;
  let looks = 0;
  let last: readonly string[] = [];
  for (const found of foundIn(scope, filter, after)) {
    looks += 1;
    const message = meets(found, filter) ? messageOf(deps, found) : undefined;
    bytes += message === undefined ? 0 : toBinary(ClaimSchema, message).length;
    const isOver = response.claims.length >= page.size || bytes > PAGE_BYTES_MAX;
    const isFull = message !== undefined && isOver && response.claims.length > 0;
    if (isFull || looks > LOOKS_MAX) {
      response.nextPageToken = page.tokenAt(last);
      break;
    }
    last = orderKey(found.claim);
    if (message !== undefined) response.claims.push(message);
  }
  return response;
};

/** In the order of lists. What the filter names narrows it, where there is an index for that. */
const foundIn = (
  { views, parent, access }: Scope,
  filter: ClaimFilter | undefined,
  after: After,
): Iterable<Found> => {
  const { consumerUid = '', providerUid = '' } = filter ?? {};
  if (consumerUid === '' && providerUid === '') {
    return claimsBelow(views, { project: parent.project, access, after });
  }
  const named = views.flatMap((view) => {
    const { claims } = view;
    const those =
      consumerUid === ''
        ? claims.ofProvider(keyOf(providerUid))
        : claims.ofConsumer(keyOf(consumerUid));
    return [...those].map((claim) => ({ view, claim }));
  });
  return named
    .filter(({ claim }) => isBelow(parent, claim) && access.covers(claim))
    .map((found) => ({ found, key: orderKey(found.claim) }))
    .filter(({ key }) => after === undefined || compareKeys(key, after) > 0)
    .sort((a, b) => compareKeys(a.key, b.key))
    .map(({ found }) => found);
};

const meets = ({ view, claim }: Found, filter: ClaimFilter | undefined): boolean => {
  if (filter === undefined) return true;
  const { consumerUid, providerUid, tag, states } = filter;
  if (consumerUid !== '' && claim.spec.consumer?.uid !== keyOf(consumerUid)) return false;
  if (tag !== '' && !claim.tags.includes(tag)) return false;
  const held = keyOf(providerUid);
  const holds = ({ uid, finishMs }: HeldProvider) => uid === held && finishMs === undefined;
  if (held !== '' && !claim.providers.some(holds)) return false;
  return states.length === 0 || states.includes(stateMessage(claim, view));
};
