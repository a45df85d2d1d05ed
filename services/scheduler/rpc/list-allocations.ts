/**
 * ListAllocations: what is held of providers, by partition, provider, begin and claim. What the
 * request names is found by an index; without a name it goes along the sorted uids of the providers
 * that have claims.
 */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type ClaimAllocation,
  ClaimAllocationSchema,
  type ListAllocationsRequest,
  type ListAllocationsResponse,
  ListAllocationsResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import type { Access } from '../../runtime/access.ts';
import { callOf } from '../../runtime/context.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, pageOfMessages } from '../../runtime/message-page.ts';
import { isWildcard } from '../../runtime/names.ts';
import { openPage, type PageKey } from '../../store/sql/page.ts';
import {
  type Allocation,
  allocationsOf,
  type ClaimRecord,
  claimName,
  isReleasing,
  keyOf,
} from '../domain/claim.ts';
import { type Interval, overlaps } from '../domain/hold.ts';
import type { PartitionView } from '../ports.ts';
import { stateMessage } from './claim-message.ts';
import { invalidField, momentOf } from './claim-request.ts';
import { isBelow, type Parent, parentOf, viewsOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { membersOf } from './group-members.ts';

export const listAllocations = async (
  deps: RpcDeps,
  request: ListAllocationsRequest,
  context: HandlerContext,
): Promise<ListAllocationsResponse> => {
  const { access, signal } = callOf(context);
  const parent = parentOf(request.parent);
  const views = await viewsOf(deps, parent, signal);
  const { pageSize, pageToken, ...rest } = request;
  const page = openPage({
    sizeDefault: PAGE_SIZE_DEFAULT,
    sizeMax: PAGE_SIZE_MAX,
    pageSize,
    pageToken,
    otherArguments: { ...rest, parent: keyOf(parent.partition + parent.project) },
    incarnation: deps.incarnation(),
  });
  assertGroup(deps, views, request.providerGroup);
  const asked: Asked = { deps, request, parent, access, window: windowOf(request) };
  const rows: Row[] = [];
  let looks = 0;
  let stopped: PageKey | undefined;
  for (const { row, key } of rowsFrom(asked, views, page.after)) {
    looks += 1;
    if (row !== undefined) rows.push(row);
    if (rows.length >= page.limit) break;
    if (looks >= LOOKS_MAX) {
      stopped = key;
      break;
    }
  }
  const { messages, nextPageToken } = pageOfMessages(page, rows, {
    schema: ClaimAllocationSchema,
    toMessage,
    keyOf: ({ key }) => key,
  });
  const isAll = messages.length === rows.length;
  return create(ListAllocationsResponseSchema, {
    allocations: messages,
    nextPageToken: isAll && stopped !== undefined ? page.tokenAt(stopped) : nextPageToken,
  });
};

const assertGroup = (deps: RpcDeps, views: readonly PartitionView[], group: string): void => {
  const knows = ({ partition }: PartitionView): boolean =>
    deps.topologies.of(partition).groups.has(keyOf(group));
  if (group === '' || views.some(knows)) return;
  throw invalidArgument('UNKNOWN_GROUP', `provider_group "${group}" is no provider group here`, {
    violations: [{ field: 'provider_group', description: 'is no provider group here' }],
  });
};

/** Providers and claims that one page looks at; where few are meant it is short and has a next. */
const LOOKS_MAX = 20_000;

type Asked = {
  readonly deps: RpcDeps;
  readonly request: ListAllocationsRequest;
  readonly parent: Parent;
  readonly access: Access;
  readonly window: Interval;
};

type Row = {
  readonly view: PartitionView;
  readonly claim: ClaimRecord;
  readonly allocation: Allocation;
  readonly key: PageKey;
};

/** One thing that was looked at; without a row it is not meant. */
type Look = { readonly row?: Row; readonly key: PageKey };

/** Behind every allocation of a claim on a provider. */
const LAST_POSITION = Number.MAX_SAFE_INTEGER;

function* rowsFrom(
  asked: Asked,
  views: readonly PartitionView[],
  after: PageKey | undefined,
): Generator<Look> {
  const from = String(after?.[0] ?? '');
  for (const view of views) {
    const partition = keyOf(view.partition);
    if (partition < from) continue;
    const first = partition === from ? String(after?.[1] ?? '') : undefined;
    const isBehind = (key: PageKey): boolean => after === undefined || compare(key, after) > 0;
    for (const [providerUid, claims] of providersIn(asked, view, first)) {
      for (const claim of claims.toSorted(byBegin)) {
        yield* rowsOf(asked, { view, claim, providerUid, isBehind });
      }
      // Tokens may stand here: nothing of this provider is left.
      yield { key: [partition, providerUid, LAST_POSITION, '', 0] };
    }
  }
}

type ProviderClaims = readonly [providerUid: string, claims: readonly ClaimRecord[]];

/** In the order of the uids of providers, from this one on. */
function* providersIn(
  asked: Asked,
  view: PartitionView,
  first: string | undefined,
): Generator<ProviderClaims> {
  const { request, parent } = asked;
  const { claims } = view;
  const providerUid = keyOf(request.providerUid);
  if (providerUid !== '') {
    if (first === undefined || providerUid >= first) {
      yield [providerUid, [...claims.ofProvider(providerUid)]];
    }
    return;
  }
  const isMember = memberTest(asked, view);
  const isOne = request.consumerUid !== '' || !isWildcard(parent.project);
  if (!isOne) {
    for (const uid of claims.providersFrom(first)) {
      yield [uid, isMember(uid) ? [...claims.ofProvider(uid)] : []];
    }
    return;
  }
  const those =
    request.consumerUid === ''
      ? claims.ofProject(parent.project)
      : claims.ofConsumer(keyOf(request.consumerUid));
  const byProvider = Map.groupBy(
    [...those].flatMap((claim) => claim.providers.map(({ uid }) => ({ uid, claim }))),
    ({ uid }) => uid,
  );
  for (const uid of [...byProvider.keys()].sort()) {
    if ((first !== undefined && uid < first) || !isMember(uid)) continue;
    yield [uid, (byProvider.get(uid) ?? []).map(({ claim }) => claim)];
  }
}

const memberTest = (
  { deps, request }: Asked,
  view: PartitionView,
): ((providerUid: string) => boolean) =>
  request.providerGroup === ''
    ? () => true
    : membersOf(view, deps.topologies.of(view.partition), keyOf(request.providerGroup));

type At = {
  readonly view: PartitionView;
  readonly claim: ClaimRecord;
  readonly providerUid: string;
  readonly isBehind: (key: PageKey) => boolean;
};

function* rowsOf(asked: Asked, { view, claim, providerUid, isBehind }: At): Generator<Look> {
  const { request, parent, access, window } = asked;
  const consumerUid = keyOf(request.consumerUid);
  const isMeant =
    isBelow(parent, claim) &&
    access.covers(claim) &&
    (consumerUid === '' || claim.spec.consumer?.uid === consumerUid);
  if (!isMeant) return;
  const begin = claim.spec.acquireMs;
  for (const [position, allocation] of allocationsOf(claim).entries()) {
    if (allocation.providerUid !== providerUid) continue;
    if (!overlaps(timeOf(claim, allocation, view.nowMs()), window)) continue;
    const key = [keyOf(view.partition), providerUid, begin, claim.uid, position];
    if (isBehind(key)) yield { row: { view, claim, allocation, key }, key };
  }
}

/** A releasing claim holds until it is given back, whatever its window says. */
const timeOf = (claim: ClaimRecord, { finishMs }: Allocation, nowMs: number): Interval => {
  const endMs = isReleasing(claim, nowMs) ? Infinity : (claim.spec.releaseMs ?? Infinity);
  return { fromMs: claim.spec.acquireMs, toMs: finishMs ?? endMs };
};

const byBegin = (a: ClaimRecord, b: ClaimRecord): number =>
  a.spec.acquireMs - b.spec.acquireMs || (a.uid < b.uid ? -1 : 1);

const compare = (a: PageKey, b: PageKey): number => {
  for (const [at, one] of a.entries()) {
    const other = b[at] ?? '';
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
};

const windowOf = ({ from, until }: ListAllocationsRequest): Interval => {
  const fromMs = from === undefined ? -Infinity : momentOf(from, 'from');
  const toMs = until === undefined ? Infinity : momentOf(until, 'until');
  if (toMs > fromMs) return { fromMs, toMs };
  throw invalidField('until', 'must lie after from');
};

const toMessage = ({ view, claim, allocation }: Row): ClaimAllocation => {
  const { consumer, acquireMs, releaseMs } = claim.spec;
  const { amount, finishMs, ...rest } = allocation;
  return create(ClaimAllocationSchema, {
    claim: claimName(claim),
    claimUid: claim.uid,
    ...(consumer !== undefined && { consumer }),
    acquireTime: timestampFromMs(acquireMs),
    ...(releaseMs !== undefined && { releaseTime: timestampFromMs(releaseMs) }),
    state: stateMessage(claim, view),
    allocation: {
      ...rest,
      amount: BigInt(amount),
      ...(finishMs !== undefined && { finishTime: timestampFromMs(finishMs) }),
    },
  });
};
