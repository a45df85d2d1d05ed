/** ListAllocations: what is held of providers, by partition, provider, begin and claim. */
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
import { callOf } from '../../runtime/context.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, pageOfMessages } from '../../runtime/message-page.ts';
import { openPage, type PageKey } from '../../store/sql/page.ts';
import { claimName, keyOf } from '../domain/claim.ts';
import type { Interval } from '../domain/hold.ts';
import type { PartitionView } from '../ports.ts';
import { type AllocationQuery, type AllocationRow, allocationLooks } from './allocation-looks.ts';
import { stateMessage } from './claim-message.ts';
import { invalidField, momentOf } from './claim-request.ts';
import { parentOf, viewsOf } from './claims-read.ts';
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
  const query: AllocationQuery<PartitionView> = {
    parent,
    access,
    window: windowOf(request),
    providerUid: keyOf(request.providerUid),
    consumerUid: keyOf(request.consumerUid),
    isMember: memberTest(deps, keyOf(request.providerGroup)),
  };
  const rows: Row[] = [];
  let looks = 0;
  let stopped: PageKey | undefined;
  for (const look of allocationLooks(query, views, page.after)) {
    looks += look.cost;
    rows.push(...look.rows);
    if (rows.length >= page.limit) break;
    if (looks >= LOOKS_MAX) {
      stopped = look.key;
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

type Row = AllocationRow<PartitionView>;

/** Empty = all providers are meant. */
const memberTest = (
  { topologies }: RpcDeps,
  group: string,
): AllocationQuery<PartitionView>['isMember'] => {
  if (group === '') return () => true;
  const byView = new Map<PartitionView, ReturnType<typeof membersOf>>();
  return (view, providerUid) => {
    const isMember = byView.get(view) ?? membersOf(view, topologies.of(view.partition), group);
    byView.set(view, isMember);
    return isMember(providerUid);
  };
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
