/** What providers offer, what is used of them now, and what is free now or over a window. */
import { create } from '@bufbuild/protobuf';
import {
  type ListUsageRequest,
  type ListUsageResponse,
  ListUsageResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { closePage, openPage, type Page } from '../../store/sql/page.ts';
import { keyOf } from '../domain/claim.ts';
import type { Interval } from '../domain/hold.ts';
import { freeOf, usageOf } from '../domain/usage.ts';
import type { PartitionView } from '../ports.ts';
import { invalidField, momentOf } from './claim-request.ts';

/** Providers that have a capacity record: the others are closed and hold nothing. */
export const listUsage = (
  view: PartitionView,
  request: ListUsageRequest,
  incarnation: number,
): ListUsageResponse => {
  const { parent, providerUid, from, until } = request;
  const page = openPage({
    pageSize: request.pageSize,
    pageToken: request.pageToken,
    otherArguments: { parent: keyOf(parent), providerUid: keyOf(providerUid), from, until },
    incarnation,
    sizeDefault: 100,
    sizeMax: 1000,
  });
  const nowMs = view.nowMs();
  const window = windowOf(request, nowMs);
  const { rows, nextPageToken } = closePage(page, uidsOf(view, providerUid, page), (uid) => [uid]);
  const { around } = view;
  return create(ListUsageResponseSchema, {
    usages: rows.map((uid) => {
      const free = freeOf(uid, around, { window, nowMs });
      return {
        providerUid: uid,
        resources: usageOf(uid, around, nowMs).map(({ resourceType, usable, used }) => ({
          resourceType,
          usable: BigInt(usable),
          used: BigInt(used),
          free: BigInt(free(resourceType)),
        })),
        closed: view.capacity(uid)?.closed ?? true,
      };
    }),
    nextPageToken,
  });
};

const uidsOf = (view: PartitionView, providerUid: string, page: Page): readonly string[] => {
  const after = String(page.after?.[0] ?? '');
  const only = keyOf(providerUid);
  if (only !== '') return view.capacity(only) === undefined || only <= after ? [] : [only];
  const uids: string[] = [];
  for (const uid of view.capacityUidsFrom(after)) {
    if (uid === after) continue;
    uids.push(uid);
    if (uids.length >= page.limit) break;
  }
  return uids;
};

/** Without an end it is the instant of its begin. */
const windowOf = ({ from, until }: ListUsageRequest, nowMs: number): Interval => {
  const fromMs = Math.max(from === undefined ? nowMs : momentOf(from, 'from'), nowMs);
  const toMs = until === undefined ? fromMs + 1 : momentOf(until, 'until');
  if (toMs > fromMs) return { fromMs, toMs };
  throw invalidField('until', 'must lie after the begin of the window');
};
